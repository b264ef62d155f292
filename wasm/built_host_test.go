package main

import (
	"context"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// hostModule is what Envoy gives a plugin, as far as this one asks for it: the functions of proxy-wasm 0.2.0 by their
// specification. Anything else that the module imports keeps it from starting.
func hostModule(r wazero.Runtime) error {
	b := r.NewHostModuleBuilder("env")
	for name, f := range map[string]any{
		"proxy_log": func(ctx context.Context, _ api.Module, _, p, n uint32) uint32 {
			m := machineOf(ctx)
			m.logs = append(m.logs, m.read(p, n))
			return statusOK
		},
		"proxy_send_local_response": func(ctx context.Context, _ api.Module, status, details, detailsSize, body, bodySize, headers, headersSize, _ uint32) uint32 {
			m := machineOf(ctx)
			m.response = &localReply{status, m.read(details, detailsSize), []byte(m.read(body, bodySize)), pairs(m.read(headers, headersSize))}
			return statusOK
		},
		"proxy_get_header_map_value":     getHeader,
		"proxy_replace_header_map_value": replaceHeader,
		"proxy_add_header_map_value":     notThere5,
		"proxy_remove_header_map_value": func(ctx context.Context, _ api.Module, _, p, n uint32) uint32 {
			m := machineOf(ctx)
			if i := header(m.headers, m.read(p, n)); i >= 0 {
				m.headers = append(m.headers[:i], m.headers[i+1:]...)
			}
			return statusOK
		},
		"proxy_get_header_map_pairs": notThere3,
		"proxy_set_header_map_pairs": notThere3,
		"proxy_get_buffer_bytes":     getBuffer,
		"proxy_set_buffer_bytes": func(ctx context.Context, _ api.Module, _, start, most, p, n uint32) uint32 {
			m := machineOf(ctx)
			data := m.read(p, n)
			end := min(uint64(len(m.body)), uint64(start)+uint64(most))
			m.body = []byte(string(m.body[:start]) + data + string(m.body[end:]))
			return statusOK
		},
		"proxy_continue_stream": func(context.Context, api.Module, uint32) uint32 { return statusOK },
		"proxy_close_stream":    func(context.Context, api.Module, uint32) uint32 { return statusOK },
		"proxy_get_property": func(ctx context.Context, _ api.Module, p, n, at, size uint32) uint32 {
			m := machineOf(ctx)
			path := m.read(p, n)
			value, ok := m.properties[strings.TrimSuffix(path, "\x00")]
			if name, isHeader := strings.CutPrefix(path, "request\x00headers\x00"); isHeader {
				if i := header(m.headers, strings.TrimSuffix(name, "\x00")); i >= 0 {
					value, ok = m.headers[i][1], true
				}
			}
			if !ok {
				return notFound
			}
			return m.hand([]byte(value), at, size)
		},
		"proxy_set_property": func(context.Context, api.Module, uint32, uint32, uint32, uint32) uint32 { return statusOK },
		"proxy_get_shared_data": func(ctx context.Context, _ api.Module, p, n, at, size, cas uint32) uint32 {
			m := machineOf(ctx)
			data, ok := m.shared[m.read(p, n)]
			if !ok {
				return notFound
			}
			m.module.Memory().WriteUint32Le(cas, 1)
			return m.hand([]byte(data), at, size)
		},
		"proxy_set_shared_data": func(ctx context.Context, _ api.Module, p, n, value, valueSize, _ uint32) uint32 {
			m := machineOf(ctx)
			m.shared[m.read(p, n)] = m.read(value, valueSize)
			return statusOK
		},
		"proxy_define_metric": func(ctx context.Context, _ api.Module, _, p, n, id uint32) uint32 {
			m := machineOf(ctx)
			m.names = append(m.names, m.read(p, n))
			m.module.Memory().WriteUint32Le(id, uint32(len(m.names)-1))
			return statusOK
		},
		"proxy_increment_metric": func(ctx context.Context, _ api.Module, id uint32, by int64) uint32 {
			m := machineOf(ctx)
			m.counters[m.names[id]] += by
			return statusOK
		},
		"proxy_record_metric":                func(context.Context, api.Module, uint32, uint64) uint32 { return notFound },
		"proxy_get_metric":                   func(context.Context, api.Module, uint32, uint32) uint32 { return notFound },
		"proxy_set_tick_period_milliseconds": func(context.Context, api.Module, uint32) uint32 { return statusOK },
		"proxy_set_effective_context":        func(context.Context, api.Module, uint32) uint32 { return statusOK },
		"proxy_done":                         func(context.Context, api.Module) uint32 { return statusOK },
		"proxy_call_foreign_function": func(context.Context, api.Module, uint32, uint32, uint32, uint32, uint32, uint32) uint32 {
			return notFound
		},
	} {
		b.NewFunctionBuilder().WithFunc(f).Export(name)
	}
	_, err := b.Instantiate(context.Background())
	return err
}

func getHeader(ctx context.Context, _ api.Module, _, p, n, at, size uint32) uint32 {
	m := machineOf(ctx)
	i := header(m.headers, m.read(p, n))
	if i < 0 {
		return notFound
	}
	return m.hand([]byte(m.headers[i][1]), at, size)
}

func replaceHeader(ctx context.Context, _ api.Module, _, p, n, value, valueSize uint32) uint32 {
	m := machineOf(ctx)
	h := [2]string{strings.ToLower(m.read(p, n)), m.read(value, valueSize)}
	if i := header(m.headers, h[0]); i >= 0 {
		m.headers[i] = h
	} else {
		m.headers = append(m.headers, h)
	}
	return statusOK
}

// getBuffer gives the body, or the plugin's configuration.
func getBuffer(ctx context.Context, _ api.Module, kind, start, most, at, size uint32) uint32 {
	const requestBody, pluginConfiguration = 0, 7
	m := machineOf(ctx)
	var data []byte
	switch kind {
	case requestBody:
		data = m.body
	case pluginConfiguration:
		data = m.configuration
	default:
		return notFound
	}
	if uint64(start) >= uint64(len(data)) {
		return notFound
	}
	return m.hand(data[start:min(uint64(len(data)), uint64(start)+uint64(most))], at, size)
}

func notThere3(context.Context, api.Module, uint32, uint32, uint32) uint32 { return notFound }

func notThere5(context.Context, api.Module, uint32, uint32, uint32, uint32, uint32) uint32 {
	return notFound
}
