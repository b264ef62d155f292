package envoy

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseLine(t *testing.T) {
	for _, c := range []struct {
		line, component, message string
		level                    slog.Level
	}{
		{"[trace][http] a", "http", "a", slog.LevelDebug},
		{"[debug][http2] b", "http2", "b", slog.LevelDebug},
		{"[info][main] starting main dispatch loop", "main", "starting main dispatch loop", slog.LevelDebug},
		{"[warning][config] gRPC config stream closed: 14", "config", "gRPC config stream closed: 14", slog.LevelWarn},
		{"[error][config] [source.cc:12] cannot bind", "config", "[source.cc:12] cannot bind", slog.LevelError},
		{"[critical][backtrace] Caught Segmentation fault", "backtrace", "Caught Segmentation fault", slog.LevelError},
		{"[off][main] x", "main", "x", slog.LevelError},
		{"[info][main] ", "main", "", slog.LevelDebug},
		{"", "process", "", slog.LevelError},
		{"#0: Envoy::SignalAction::sigHandler() [0x55]", "process", "#0: Envoy::SignalAction::sigHandler() [0x55]", slog.LevelError},
		{"[info] no component", "process", "[info] no component", slog.LevelError},
		{"info][main] cut off", "process", "info][main] cut off", slog.LevelError},
		{"[info][main]no blank", "process", "[info][main]no blank", slog.LevelError},
		{"terminate called after throwing", "process", "terminate called after throwing", slog.LevelError},
	} {
		level, component, message := parseLine(c.line)
		assert.Equal(t, c.level, level, c.line)
		assert.Equal(t, c.component, component, c.line)
		assert.Equal(t, c.message, message, c.line)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{"", "[", "[][] ", "[info][main] x", "[warning][a][b] c", "]] [[", "\xff[info][\x00] y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		level, component, message := parseLine(line)
		if !strings.HasSuffix(line, message) {
			t.Errorf("%q became %q: a message is what the line ends with", line, message)
		}
		if component == "process" && level == slog.LevelError && message != line && !strings.HasPrefix(line, "[") {
			t.Errorf("%q lost a part: %q", line, message)
		}
	})
}

func TestFollowCopiesLineByLine(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"lines":       {"[info][main] one\n[warning][http] two\n", []string{"level=DEBUG msg=\"envoy: one\" component=main", "level=WARN msg=\"envoy: two\" component=http"}},
		"no end":      {"[error][main] cut", []string{"level=ERROR msg=\"envoy: cut\" component=main"}},
		"empty lines": {"\n\r\n\n", nil},
		"carriage":    {"[info][main] one\r\n", []string{"level=DEBUG msg=\"envoy: one\" component=main"}},
		"nothing":     {"", nil},
		"stack":       {"#0: main()\n", []string{"level=ERROR msg=\"envoy: #0: main()\" component=process"}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
			follow(strings.NewReader(c.text), log, notStopping)
			var got []string
			if b.Len() > 0 {
				got = strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestALineThatIsTooLongComesInPiecesOfOneLevel(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime}))
	long := strings.Repeat("x", 2*maxLine)
	follow(strings.NewReader("[warning][http] "+long+"\n[info][main] end\n"), log, notStopping)
	got := b.String()
	assert.Equal(t, 3, strings.Count(got, "level=WARN"))
	assert.Equal(t, len(long), strings.Count(got, "x"), "nothing is lost")
	assert.NotContains(t, got, "level=ERROR")
	assert.True(t, strings.HasSuffix(got, "level=DEBUG msg=\"envoy: end\" component=main\n"))
}

func TestEnvoysLevelFollowsOurs(t *testing.T) {
	assert.Equal(t, "info", logLevel(slog.LevelDebug))
	assert.Equal(t, "warning", logLevel(slog.LevelInfo))
	assert.Equal(t, "warning", logLevel(slog.LevelWarn))
	assert.Equal(t, "error", logLevel(slog.LevelError))
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func notStopping() bool { return false }

func TestWarningsOfAnEnvoyOnItsWayOutAreNoNews(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	text := "[warning][config] closed\n[error][main] broken\n"
	follow(strings.NewReader(text), log, func() bool { return true })
	assert.NotContains(t, out.String(), "closed")
	assert.Contains(t, out.String(), "broken")
}
