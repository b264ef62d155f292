package catalog

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGroupsInAHeader(t *testing.T) {
	for groups, want := range map[string][]string{"": nil, " , ": nil, "a": {"a"}, "a, b c,,/d": {"a", "b c", "/d"}} {
		assert.Equal(t, want, SplitGroups(groups))
	}
	assert.Equal(t, "a,b%20c,x%2Cadmins,%20y,new%0Aline,%25,%C3%A9,/d", JoinGroups([]string{"a", "b c", "a", "x,admins", "", " y", "new\nline", "%", "é", "/d"}),
		"a name out of a token is never read as another group's")
	for _, groups := range [][]string{{"a b", "c%20d", "%zz", "é,è"}} {
		assert.Equal(t, groups, SplitGroups(JoinGroups(groups)))
	}
	assert.Equal(t, []string{"%zz"}, SplitGroups("%zz"), "as nobody writes it")
}
