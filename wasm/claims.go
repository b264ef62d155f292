package main

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm"
)

// payloads are the names under which jwt_authn keeps the verified claims: the gateway's own (control-plane/snapshot), and
// Istio's for every RequestAuthentication.
var payloads = [...]string{"claims", "payload"}

// appendClaims appends the values of a claim: of a list, all members. A name with dots is looked for as it is, and then as
// the way into nested claims.
func appendClaims(dst []string, name string) []string {
	path := []string{"metadata", "filter_metadata", "envoy.filters.http.jwt_authn", "", ""}
	for _, payload := range payloads {
		path[3], path[4] = payload, name
		raw, err := proxywasm.GetProperty(path)
		if err != nil && strings.Contains(name, ".") {
			raw, err = proxywasm.GetProperty(append(path[:4:4], strings.Split(name, ".")...))
		}
		if err == nil {
			return appendValue(dst, raw)
		}
	}
	return dst
}

// appendValue reads a value of JSON as the host hands it over, which says nothing of its type: text as it is, true and
// false as one byte, numbers as the eight of a double, lists as pairs of a value and nothing. What is readable is text.
func appendValue(dst []string, raw []byte) []string {
	if readable(raw) {
		return append(dst, string(raw))
	}
	switch {
	case len(raw) == 1 && raw[0] <= 1:
		return append(dst, strconv.FormatBool(raw[0] == 1))
	case len(raw) == 8:
		return append(dst, strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(raw)), 'f', -1, 64))
	}
	return appendList(dst, raw)
}

// appendList reads a list: its length, then the lengths of each value and of its empty partner, then each of these with a
// zero byte behind it, all numbers of four bytes. What is no list adds nothing: an object is none.
func appendList(dst []string, raw []byte) []string {
	word := func(at int) int { return int(binary.LittleEndian.Uint32(raw[at:])) }
	if len(raw) < 4 || word(0) > (len(raw)-4)/8 {
		return dst
	}
	out, at := dst, 4+8*word(0)
	for i := range word(0) {
		size, partner := word(4+8*i), word(8+8*i)
		if partner != 0 || size < 0 || size > len(raw)-at-2 {
			return dst
		}
		if value := raw[at : at+size]; len(value) == 0 || readable(value) || size == 1 || size == 8 {
			out = appendValue(out, value) // but not a list or an object in a list
		}
		at += size + 2
	}
	return out
}

// readable says that bytes are text without control characters. The doubles of numbers that tokens hold all have zeros.
func readable(raw []byte) bool {
	for _, c := range raw {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return utf8.Valid(raw)
}
