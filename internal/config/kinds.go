package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is a type of value: how documentation names it and how it is parsed. The text of a parse error completes
// "expected …" and never repeats the value.
type kind[T any] struct {
	unit  string
	parse func(string) (T, error)
	show  func(string) string // hides what is secret in a value
}

func plain[T any](unit string, parse func(string) (T, error)) kind[T] {
	return kind[T]{unit, parse, func(s string) string { return s }}
}

var (
	text   = plain("text", func(s string) (string, error) { return s, printable(s) })
	path   = plain("path", func(s string) (string, error) { return s, printable(s) })
	secret = kind[Secret]{"secret", parseSecret, func(string) string { return mask }}
	toggle = plain("true or false", parseBool)
	list   = plain("comma list", func(s string) ([]string, error) { return splitList(s), printable(s) })

	port     = integer[int]("port", 0, 65535)
	address  = plain("address", parseAddress)
	logLevel = plain("debug, info, warn or error", parseLevel)

	// limit is a time limit that 0 switches off; period must be more than nothing.
	limit  = plain("duration", func(s string) (time.Duration, error) { return parseDuration(s, 0) })
	period = plain("duration", func(s string) (time.Duration, error) { return parseDuration(s, time.Millisecond) })
)

func integer[T int | int64](unit string, least, most T) kind[T] {
	return plain(unit, func(s string) (T, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < int64(least) || n > int64(most) {
			if int64(most) == math.MaxInt64 {
				return 0, fmt.Errorf("a whole number of %d or more", least)
			}
			return 0, fmt.Errorf("a whole number from %d to %d", least, most)
		}
		return T(n), nil
	})
}

func oneOf(words ...string) kind[string] {
	unit := strings.Join(words, " or ")
	return plain(unit, func(s string) (string, error) {
		for _, w := range words {
			if strings.EqualFold(s, w) {
				return w, nil
			}
		}
		return "", errors.New(unit)
	})
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errors.New("true or false")
}

// parseDuration refuses what lies between nothing and a millisecond: Envoy counts in milliseconds and would read it as
// no limit at all. More than a year is a misplaced digit.
func parseDuration(s string, least time.Duration) (time.Duration, error) {
	const most = 365 * 24 * time.Hour
	d, err := time.ParseDuration(s)
	switch {
	case err != nil, d < 0, d > most:
		return 0, errors.New("a duration such as 30s, 5m or 500ms")
	case d < least:
		return 0, fmt.Errorf("a duration of at least %v", least)
	case d > 0 && d < time.Millisecond:
		return 0, errors.New("0 or a duration of at least 1ms")
	}
	return d, nil
}

func parseLevel(s string) (slog.Level, error) {
	switch strings.ToLower(s) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, errors.New("debug, info, warn or error")
}

// parseAddress wants a number because Envoy binds to numbers only.
func parseAddress(s string) (string, error) {
	if strings.EqualFold(s, "localhost") {
		return "127.0.0.1", nil
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return "", errors.New("an IP address to listen on, such as 127.0.0.1 or 0.0.0.0, or localhost")
	}
	return a.String(), nil
}

// parseSecret takes what can stand in a header line. A line break is nearly always a file read with its last newline
// by something other than us; it is refused because a header with one could smuggle another.
func parseSecret(s string) (Secret, error) {
	if i := slices.IndexFunc([]byte(s), func(b byte) bool { return b < ' ' || b >= 0x7f }); i >= 0 {
		return "", errors.New("ASCII text without line breaks or control characters")
	}
	if strings.TrimSpace(s) != s {
		return "", errors.New("text without spaces around it")
	}
	return Secret(s), nil
}

func printable(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("text without control characters")
	}
	return nil
}

// splitList cuts at commas and drops what is blank.
func splitList(s string) []string {
	var out []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
