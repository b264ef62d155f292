package config

import "strings"

// envFileVariable names the dotenv file; the edge reads it before Load.
const envFileVariable = "GATEWAY_ENV_FILE"

// upper gives the part of a provider's or server's variables that stands for its name.
func upper(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

// validName says whether a name that the user chose can stand in a model's prefix and, upper-cased, in a variable.
func validName(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[0] == '_' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// alias gives the other spelling of a switch: FOO_ENABLE for FOO_ENABLED.
func alias(name string) (string, bool) {
	if strings.HasSuffix(name, "_ENABLED") {
		return strings.TrimSuffix(name, "D"), true
	}
	return "", false
}
