package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// A Struct in protobuf's encoding is read as the JSON that it stands for.
func TestAStructIsReadAsItsJSON(t *testing.T) {
	text := `{"policy":{"default":"deny","max_body":4096.5,"none":null,"on":true,"off":false,"list":[1,"a",{"b":[]},[2000000,-1e21]],"héllo\n":"\u0001"},"":{}}`
	var s structpb.Struct
	require.NoError(t, s.UnmarshalJSON([]byte(text)))
	raw, err := proto.Marshal(&s)
	require.NoError(t, err)
	got, ok := structJSON(raw)
	require.True(t, ok)
	assert.JSONEq(t, text, string(got))
	assert.True(t, json.Valid(got))
	for cut := range raw {
		if part, ok := structJSON(raw[:cut]); ok {
			assert.True(t, json.Valid(part), "cut at %d", cut)
		}
	}
	_, err = readSettings(raw)
	assert.ErrorContains(t, err, "unknown field", "it is held to the same rules")
}

func FuzzStruct(f *testing.F) {
	s, _ := structpb.NewStruct(map[string]any{"a": []any{1.0, "b", nil, true, map[string]any{"c": 2.0}}})
	raw, _ := proto.Marshal(s)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, ok := structJSON(raw); ok && proto.Unmarshal(raw, &structpb.Struct{}) == nil {
			assert.True(t, json.Valid(got), "%q", got)
		}
	})
}

func TestClaimsAreReadAsTheHostGivesThem(t *testing.T) {
	list := "\x02\x00\x00\x00" + "\x06\x00\x00\x00\x00\x00\x00\x00" + "\x04\x00\x00\x00\x00\x00\x00\x00" + "admins\x00\x00" + "devs\x00\x00"
	for raw, want := range map[string][]string{
		"":                                 {""},
		"admins":                           {"admins"},
		"engineer":                         {"engineer"}, // eight bytes, and no number
		"\x01":                             {"true"},
		"\x00":                             {"false"},
		"\x00\x00\x00\x00\x00\x00\xf0\x3f": {"1"},
		"\x00\x00\x00\x00\x1c\x58\xaf\x40": {"4012.0546875"},
		list:                               {"admins", "devs"},
		list[:len(list)-3]:                 nil,
		"\xff\xff\xff\xff" + list[4:]:      nil,
		"\x00\x00\x00\x00":                 nil,
	} {
		assert.Equal(t, want, appendValue(nil, []byte(raw)), "%q", raw)
	}
}
