package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask stands for any secret that is set. It has one length, so that it tells nothing of the secret's.
const mask = "****"

// Secret is a value that never prints itself, whatever the verb or encoder; only Reveal gives it. An empty Secret
// prints as nothing, so that "not set" can be seen.
type Secret string

// Reveal gives the value, to be handed on and not kept.
func (s Secret) Reveal() string { return string(s) }

// String gives the mask.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString gives the mask.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format gives the mask for every verb: without it a verb that strings do not have, %d for one, would print the value.
func (s Secret) Format(f fmt.State, verb rune) {
	out := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		out = s.GoString()
	}
	_, _ = io.WriteString(f, out) // fmt's own buffer takes every write
}

// MarshalText gives the mask to JSON, YAML and other encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue gives the mask to slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
