package main

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm/types"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// The built file in wazero, with a host of its own: that of the SDK's tests wants a module that exports every callback
// of the ABI and does not start one that is a reactor.

// builtModule compiles bin/inference-gateway.wasm's code once for all tests; each machine is an instance of it.
var builtModule = sync.OnceValues(func() (*compiled, error) {
	dir, err := os.MkdirTemp("", "igw")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "filter.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", file, ".")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	code, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	c := &compiled{runtime: wazero.NewRuntime(ctx)}
	wasi_snapshot_preview1.MustInstantiate(ctx, c.runtime)
	if err := hostModule(c.runtime); err != nil {
		return nil, err
	}
	c.module, err = c.runtime.CompileModule(ctx, code)
	return c, err
})

type compiled struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

// machine is one VM with the plugin in it, as a worker thread of Envoy has one.
type machine struct {
	t             testing.TB
	module        api.Module
	configuration []byte
	properties    map[string]string
	shared        map[string]string
	logs          []string
	counters      map[string]int64 // by name
	names         []string         // of counters, by id
	next          uint32           // id of the last context
	calls         int              // of the host

	// Of the request that is under way.
	headers  [][2]string
	body     []byte
	response *localReply
}

type localReply struct {
	status  uint32
	details string
	body    []byte
	headers [][2]string
}

const rootContext = 1

// boot makes a machine and gives it its configuration, which it takes or not.
func boot(t testing.TB, configuration []byte) (*machine, bool) {
	t.Helper()
	c, err := builtModule()
	require.NoError(t, err)
	m := &machine{
		t: t, configuration: configuration, counters: map[string]int64{}, shared: map[string]string{}, next: rootContext, properties: map[string]string{},
	}
	ctx := m.context()
	m.module, err = c.runtime.InstantiateModule(ctx, c.module, wazero.NewModuleConfig().WithName("").
		WithStartFunctions("_initialize").WithWalltime(func() (int64, int32) { return 1_800_000_000, 0 }, 1).WithSysNanotime())
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.module.Close(ctx) })
	m.call("proxy_on_context_create", rootContext, 0)
	require.EqualValues(t, 1, m.call("proxy_on_vm_start", rootContext, 0))
	return m, m.call("proxy_on_configure", rootContext, uint32(len(configuration))) == 1
}

type machineKey struct{}

func (m *machine) context() context.Context {
	return context.WithValue(context.Background(), machineKey{}, m)
}

// machineOf is what every function of the host asks first.
func machineOf(ctx context.Context) *machine {
	m := ctx.Value(machineKey{}).(*machine)
	m.calls++
	return m
}

// call enters the machine; a trap fails the test.
func (m *machine) call(name string, args ...uint32) uint32 {
	m.t.Helper()
	function := m.module.ExportedFunction(name)
	require.NotNil(m.t, function, name)
	stack := make([]uint64, 0, len(args))
	for _, a := range args {
		stack = append(stack, uint64(a))
	}
	results, err := function.Call(m.context(), stack...)
	require.NoError(m.t, err, name)
	if len(results) == 0 {
		return 0
	}
	return uint32(results[0])
}

// request sends one as the emulator's envoy.post does, and the pieces of its body end at the given offsets.
func (m *machine) request(headers [][2]string, body []byte, cuts ...int) outcome {
	m.t.Helper()
	m.next++
	id := m.next
	m.headers, m.body, m.response = slices.Clone(headers), nil, nil
	m.call("proxy_on_context_create", id, rootContext)
	action := m.call("proxy_on_request_headers", id, uint32(len(headers)), flag(len(body) == 0))
	from := 0
	for _, to := range append(cuts, len(body)) {
		if to <= from || m.response != nil {
			continue
		}
		m.body = append(m.body, body[from:to]...)
		action = m.call("proxy_on_request_body", id, uint32(len(m.body)), flag(to == len(body)))
		from = to
	}
	m.call("proxy_on_delete", id)
	out := outcome{action: types.Action(action), headers: map[string]string{}, body: string(m.body)}
	for _, h := range m.headers {
		out.headers[h[0]] = h[1]
	}
	if r := m.response; r != nil {
		out.response = &reply{r.status, r.details, r.headers, r.body}
	}
	return out
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// hand gives bytes to the machine, in memory that it allocates, and writes where they are.
func (m *machine) hand(data []byte, at, size uint32) uint32 {
	p := m.call("proxy_on_memory_allocate", uint32(len(data)))
	memory := m.module.Memory()
	if !memory.Write(p, data) || !memory.WriteUint32Le(at, p) || !memory.WriteUint32Le(size, uint32(len(data))) {
		return invalidMemory
	}
	return statusOK
}

// read copies bytes of the machine.
func (m *machine) read(p, size uint32) string {
	data, ok := m.module.Memory().Read(p, size)
	require.True(m.t, ok, "a pointer out of the machine's memory")
	return string(data)
}

// Statuses of the ABI.
const (
	statusOK      = 0
	notFound      = 1
	invalidMemory = 6
)

// pairs reads a header map: their number, the lengths of each name and value, then these, each with a zero byte.
func pairs(raw string) [][2]string {
	word := func(i int) int { return int(binary.LittleEndian.Uint32([]byte(raw[4*i:]))) }
	n := word(0)
	out, at := make([][2]string, 0, n), 4+8*n
	for i := range n {
		k, v := word(1+2*i), word(2+2*i)
		out = append(out, [2]string{raw[at : at+k], raw[at+k+1 : at+k+1+v]})
		at += k + v + 2
	}
	return out
}

func header(headers [][2]string, name string) int {
	return slices.IndexFunc(headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) })
}
