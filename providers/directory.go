// Package providers decides what becomes of a model request and says so in the words of the API: which provider it is
// for, whether it may go there, and which bytes that provider gets, or the error that the client reads. Its decisions
// are pure functions of a Directory and a request; it must not know Envoy's protos, sockets, keys or the environment.
package providers

import (
	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// Entry is one known provider as the directory sees it.
type Entry = routing.Entry

// Target is what a request's path says.
type Target = routing.Target

// Directory is the immutable table that requests are decided by. A reload of the configuration makes another.
type Directory struct {
	table    *routing.Table
	filter   catalog.ModelFilter
	maxBody  int64
	rights   func(Caller) Rights // nil: every caller may do everything
	metering Metering
	unasked  map[string]bool // providers whose streams say what they took without being asked
}

// NewDirectory makes a Directory. maxBody is the largest request body in bytes.
func NewDirectory(entries []Entry, filter catalog.ModelFilter, maxBody int64) *Directory {
	return &Directory{table: routing.NewTable(entries, filter), filter: filter, maxBody: maxBody}
}

// MaxBody is the largest request body in bytes.
func (d *Directory) MaxBody() int64 { return d.maxBody }

// Between is the directory for the time in which Envoy moves from d to next (see routing.Table.Between).
func (d *Directory) Between(next *Directory) *Directory {
	b := *next
	b.table = d.table.Between(next.table)
	return &b
}

// ParseTarget reads the value of :path.
func ParseTarget(path string) (Target, *apierror.Error) {
	t, reason := routing.ParseTarget(path)
	switch reason {
	case "":
		return t, nil
	case routing.TwoParameters:
		return t, apierror.Field(apierror.InvalidRequest, "provider", "?provider= is given twice with different names")
	default:
		return t, apierror.Field(apierror.UnknownProvider, "provider", "?provider= is empty or not a name: write ?provider=openai")
	}
}
