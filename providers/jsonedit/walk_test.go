package jsonedit

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestItemsAndObject(t *testing.T) {
	d, err := Parse([]byte(`{"a":[1, "x,]" ,{"b":[2]},[ ], null , -1.5e3] ,"o":{ "p" : true }, "e":[ ], "s":"", "n":3}`))
	require.NoError(t, err)
	a, _ := d.Member("a")
	var got []string
	for _, v := range a.Items() {
		got = append(got, string(v.Raw()))
	}
	assert.Equal(t, []string{`1`, `"x,]"`, `{"b":[2]}`, `[ ]`, `null`, `-1.5e3`}, got)
	inner, err := a.Items()[2].Object()
	require.NoError(t, err)
	assert.Equal(t, 1, inner.Len())
	assert.Equal(t, `"b"`, string(inner.Name(0)))
	assert.Equal(t, `[2]`, string(inner.At(0).Raw()))

	e, _ := d.Member("e")
	assert.Empty(t, e.Items())
	n, _ := d.Member("n")
	assert.Nil(t, n.Items(), "a number has no elements")
	_, err = n.Object()
	require.ErrorIs(t, err, NotObject)

	for name, blank := range map[string]bool{"a": false, "o": false, "e": true, "s": true, "n": false} {
		v, _ := d.Member(name)
		assert.Equal(t, blank, v.Blank(), name)
	}
	assert.True(t, a.Items()[3].Blank())
	assert.True(t, a.Items()[4].Blank())
}

func TestNextStringSeesEveryStringAndUnescapedItsText(t *testing.T) {
	body := []byte(`{"k" : "v\"]", "\u006dodel":["a\u0041\ud83d\ude00", {"x":""}], "n":1}`)
	var keys, texts []string
	var scratch []byte
	for pos := 0; ; {
		quoted, key, end := NextString(body, pos)
		if end < 0 {
			break
		}
		pos = end
		if text := string(Unescaped(scratch, quoted)); key {
			keys = append(keys, text)
		} else {
			texts = append(texts, text)
		}
	}
	assert.Equal(t, []string{"k", "model", "x", "n"}, keys)
	assert.Equal(t, []string{`v"]`, "aA😀", ""}, texts)

	_, _, end := NextString([]byte(`"cut`), 0)
	assert.Equal(t, -1, end, "a string without its end is none")
}
