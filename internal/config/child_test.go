package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAnotherProgramGetsNothingOfTheGateways(t *testing.T) {
	assert.Equal(t, []string{"LC_ALL=C", "PATH=/bin", "TZ=UTC"}, ChildEnviron(map[string]string{
		"PATH": "/bin", "TZ": "UTC", "LC_ALL": "C", "OPENAI_API_KEY": "k", "AUTH_COOKIE_SECRET": "s", "MCP_A_HEADERS": "X=h", "OTHER": "o",
	}))
	assert.NotNil(t, ChildEnviron(nil), "exec takes nil for everything")
}
