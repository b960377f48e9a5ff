package librarylog

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// adapter is a library's logger. Libraries repeat some warnings several times a second while a node
// is away, so each of those is passed on once per repeatInterval; how many were left out is said
// with the next one.
type adapter struct {
	logger   *slog.Logger
	name     string
	implied  []any
	repeated *repeatFilter
}

const (
	repeatInterval = 10 * time.Second
	repeatKeysMax  = 128
)

type repeatFilter struct {
	mu   sync.Mutex
	seen map[string]*repeatCount
}

type repeatCount struct {
	since   time.Time
	leftOut int
}

// New returns a logger for the library of that name.
func New(logger *slog.Logger, name string) hclog.Logger {
	return &adapter{logger: logger, name: name, repeated: &repeatFilter{seen: map[string]*repeatCount{}}}
}

// pass says whether to write the message now, and how many like it were left out before.
func (f *repeatFilter) pass(message string, now time.Time) (bool, int) {
	message = kindOf(message)
	f.mu.Lock()
	defer f.mu.Unlock()
	count := f.seen[message]
	if count != nil && now.Sub(count.since) < repeatInterval {
		count.leftOut++
		return false, 0
	}
	leftOut := 0
	if count != nil {
		leftOut = count.leftOut
	}
	if len(f.seen) >= repeatKeysMax {
		clear(f.seen)
	}
	f.seen[message] = &repeatCount{since: now}
	return true, leftOut
}

// kindOf is what messages of one kind have in common: what stands before the first number or
// address. Strangers could otherwise have a line for each port they come from.
func kindOf(message string) string {
	if at := strings.IndexAny(message, "0123456789="); at > len("[WARN] memberlist: ") {
		return message[:at]
	}
	return message
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace, hclog.Debug, hclog.NoLevel:
		return slog.LevelDebug
	case hclog.Info:
		return slog.LevelInfo
	default:
		// A library's error is a cluster's ordinary day: a peer that does not answer. What the
		// operator must see is said by the callers of this package, in their own words.
		return slog.LevelWarn
	}
}

func (l *adapter) Log(level hclog.Level, message string, arguments ...any) {
	if level == hclog.Trace || !l.enabled(level) {
		return
	}
	leftOut := 0
	if slogLevel(level) >= slog.LevelWarn {
		pass := false
		if pass, leftOut = l.repeated.pass(message, time.Now()); !pass {
			return
		}
	}
	attributes := append([]any{"library", l.name}, l.implied...)
	for _, argument := range arguments {
		if format, ok := argument.(hclog.Format); ok && len(format) > 0 {
			argument = fmt.Sprintf(fmt.Sprint(format[0]), format[1:]...)
		}
		attributes = append(attributes, argument)
	}
	if leftOut > 0 {
		attributes = append(attributes, "left_out", leftOut)
	}
	l.logger.Log(context.Background(), slogLevel(level), message, attributes...)
}

func (l *adapter) enabled(level hclog.Level) bool {
	return l.logger.Enabled(context.Background(), slogLevel(level))
}

func (l *adapter) Trace(message string, arguments ...any) {}
func (l *adapter) Debug(message string, arguments ...any) {
	l.Log(hclog.Debug, message, arguments...)
}
func (l *adapter) Info(message string, arguments ...any) {
	l.Log(hclog.Info, message, arguments...)
}
func (l *adapter) Warn(message string, arguments ...any) {
	l.Log(hclog.Warn, message, arguments...)
}
func (l *adapter) Error(message string, arguments ...any) {
	l.Log(hclog.Error, message, arguments...)
}

func (l *adapter) IsTrace() bool        { return false }
func (l *adapter) IsDebug() bool        { return l.enabled(hclog.Debug) }
func (l *adapter) IsInfo() bool         { return l.enabled(hclog.Info) }
func (l *adapter) IsWarn() bool         { return l.enabled(hclog.Warn) }
func (l *adapter) IsError() bool        { return l.enabled(hclog.Error) }
func (l *adapter) ImpliedArgs() []any   { return l.implied }
func (l *adapter) Name() string         { return l.name }
func (l *adapter) SetLevel(hclog.Level) {}
func (l *adapter) GetLevel() hclog.Level {
	if l.IsDebug() {
		return hclog.Debug
	}
	return hclog.Info
}

func (l *adapter) With(arguments ...any) hclog.Logger {
	child := *l
	child.implied = append(append([]any(nil), l.implied...), arguments...)
	return &child
}

func (l *adapter) Named(name string) hclog.Logger {
	return l.ResetNamed(strings.Trim(l.name+"."+name, "."))
}

func (l *adapter) ResetNamed(name string) hclog.Logger {
	child := *l
	child.name = name
	return &child
}

func (l *adapter) StandardLogger(options *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(options), "", 0)
}

func (l *adapter) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return standardWriter{l}
}

// standardWriter takes the lines of libraries that use the log package and put the level in
// brackets, as memberlist does.
type standardWriter struct{ logger *adapter }

func (w standardWriter) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := hclog.Debug
	for prefix, prefixLevel := range map[string]hclog.Level{
		"[INFO]": hclog.Info, "[WARN]": hclog.Warn, "[ERR]": hclog.Error, "[ERROR]": hclog.Error, "[DEBUG]": hclog.Debug,
	} {
		if rest, found := strings.CutPrefix(text, prefix); found {
			text, level = strings.TrimSpace(rest), prefixLevel
		}
	}
	w.logger.Log(level, text)
	return len(line), nil
}
