package main

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Istio hands a pluginConfig over as JSON. Who writes Envoy's configuration by hand may give a google.protobuf.Struct, which
// Envoy passes on in protobuf's encoding (https://protobuf.dev/programming-guides/encoding); it is turned into JSON here.

// structJSON gives a Struct as JSON; false when the bytes are none.
func structJSON(raw []byte) ([]byte, bool) { return appendStruct(nil, raw, 0) }

// Fields of google.protobuf.Value, each with its wire type.
const (
	nullField   = 1<<3 | wireVarint
	numberField = 2<<3 | wireFixed64
	textField   = 3<<3 | wireBytes
	boolField   = 4<<3 | wireVarint
	structField = 5<<3 | wireBytes
	listField   = 6<<3 | wireBytes

	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2

	deepest = 64 // of nested values
)

func appendStruct(dst, raw []byte, depth int) ([]byte, bool) {
	dst = append(dst, '{')
	for first := true; len(raw) > 0; first = false {
		tag, _, entry, rest, ok := nextField(raw)
		if !ok || tag != 1<<3|wireBytes {
			return nil, false
		}
		raw = rest
		var name, value []byte
		for len(entry) > 0 {
			tag, _, content, rest, ok := nextField(entry)
			if !ok || tag != 1<<3|wireBytes && tag != 2<<3|wireBytes {
				return nil, false
			}
			if entry = rest; tag == 1<<3|wireBytes {
				name = content
			} else {
				value = content
			}
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = append(jsonedit.AppendQuote(dst, string(name)), ':')
		if dst, ok = appendStructValue(dst, value, depth); !ok {
			return nil, false
		}
	}
	return append(dst, '}'), true
}

func appendStructValue(dst, raw []byte, depth int) ([]byte, bool) {
	if depth++; depth > deepest {
		return nil, false
	}
	tag, number, content, rest, ok := nextField(raw)
	if !ok || len(rest) > 0 {
		return nil, false
	}
	switch tag {
	case nullField:
		return append(dst, "null"...), true
	case numberField:
		f := math.Float64frombits(number)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, false
		}
		return strconv.AppendFloat(dst, f, 'f', -1, 64), true
	case textField:
		return jsonedit.AppendQuote(dst, string(content)), true
	case boolField:
		return strconv.AppendBool(dst, number != 0), true
	case structField:
		return appendStruct(dst, content, depth)
	case listField:
		dst = append(dst, '[')
		for first := true; len(content) > 0; first = false {
			tag, _, item, rest, ok := nextField(content)
			if !ok || tag != 1<<3|wireBytes {
				return nil, false
			}
			content = rest
			if !first {
				dst = append(dst, ',')
			}
			if dst, ok = appendStructValue(dst, item, depth); !ok {
				return nil, false
			}
		}
		return append(dst, ']'), true
	}
	return nil, false
}

// nextField reads one field: its number and type, and its content, which is a number or bytes.
func nextField(raw []byte) (tag, number uint64, content, rest []byte, ok bool) {
	tag, n := binary.Uvarint(raw)
	if n <= 0 {
		return 0, 0, nil, nil, false
	}
	raw = raw[n:]
	switch tag & 7 {
	case wireVarint:
		number, n = binary.Uvarint(raw)
		return tag, number, nil, raw[max(n, 0):], n > 0
	case wireFixed64:
		if len(raw) < 8 {
			return 0, 0, nil, nil, false
		}
		return tag, binary.LittleEndian.Uint64(raw), nil, raw[8:], true
	case wireBytes:
		size, n := binary.Uvarint(raw)
		if n <= 0 || size > uint64(len(raw)-n) {
			return 0, 0, nil, nil, false
		}
		end := n + int(size)
		return tag, 0, raw[n:end], raw[end:], true
	}
	return 0, 0, nil, nil, false
}
