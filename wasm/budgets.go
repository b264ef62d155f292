package main

import (
	"strconv"
	"time"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"

	"github.com/inference-gateway/envoy-inference-gateway/wasm/policy"
)

// budgets counts in the host's shared data, which all worker threads of one Envoy see. Nothing is ever deleted there, so
// the number of cells is fixed: about 10 MB when every one is in use.
var budgets = &policy.Table{Cells: sharedData{}, Size: 1 << 16, Clock: func() int64 { return time.Now().Unix() }}

// sharedData is policy.Cells by the host's key-value store. A store of version 0 is not compared, so that of a new cell
// may write over another worker's first one: a request or two that are not counted, once in a cell's life.
type sharedData struct{}

func (sharedData) Load(cell int) (data []byte, version uint32) {
	data, version, err := proxywasm.GetSharedData(cellKey(cell))
	if err != nil {
		return nil, 0
	}
	return data, version
}

func (sharedData) Store(cell int, data []byte, version uint32) bool {
	return proxywasm.SetSharedData(cellKey(cell), data, version) == nil
}

func cellKey(cell int) string { return "budget/" + strconv.Itoa(cell) }
