package cluster

import (
	"context"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	metrics "github.com/hashicorp/go-metrics"
)

// raftLogger hands what Raft says to slog, one level lower than Raft says it:
// its Info tells of every snapshot, its Warn of every election, and both are a
// matter of course here. Errors stay errors, but for those that a peer's absence
// brings twice a second, of which the mesh tells once, and that a log that was cut
// off brings before a snapshot is sent.
type raftLogger struct{ to *slog.Logger }

func (l raftLogger) Log(level hclog.Level, msg string, args ...any) {
	l.to.Log(context.Background(), slogLevel(level), "raft: "+msg, args...)
}

func slogLevel(level hclog.Level) slog.Level {
	switch {
	case level >= hclog.Error:
		return slog.LevelError
	case level == hclog.Warn:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (l raftLogger) Trace(msg string, args ...any) {} // one line per RPC
func (l raftLogger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l raftLogger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l raftLogger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }

func (l raftLogger) Error(msg string, args ...any) {
	for _, usual := range usualErrors {
		if strings.HasPrefix(msg, usual) {
			l.Log(hclog.Info, msg, args...)
			return
		}
	}
	l.Log(hclog.Error, msg, args...)
}

var usualErrors = []string{
	"failed to heartbeat to", "failed to appendEntries to", "failed to pipeline appendEntries",
	"failed to make requestVote RPC", "failed to get log", "peer has newer term",
}

func (l raftLogger) enabled(level hclog.Level) bool {
	return l.to.Enabled(context.Background(), slogLevel(level))
}

func (l raftLogger) IsTrace() bool { return false }
func (l raftLogger) IsDebug() bool { return l.enabled(hclog.Debug) }
func (l raftLogger) IsInfo() bool  { return l.enabled(hclog.Info) }
func (l raftLogger) IsWarn() bool  { return l.enabled(hclog.Warn) }
func (l raftLogger) IsError() bool { return l.enabled(hclog.Error) }

func (l raftLogger) With(args ...any) hclog.Logger  { return raftLogger{l.to.With(args...)} }
func (l raftLogger) Named(string) hclog.Logger      { return l }
func (l raftLogger) ResetNamed(string) hclog.Logger { return l }
func (l raftLogger) Name() string                   { return "raft" }
func (l raftLogger) ImpliedArgs() []any             { return nil }
func (l raftLogger) SetLevel(hclog.Level)           {} // the handler decides
func (l raftLogger) GetLevel() hclog.Level          { return hclog.NoLevel }
func (l raftLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return slog.NewLogLogger(l.to.Handler(), slog.LevelInfo).Writer()
}
func (l raftLogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(l.to.Handler(), slog.LevelInfo)
}

// silenceMetrics turns off the metrics that Raft keeps about itself: they are a
// process-wide registry, cost some microseconds per pack, and what is worth
// knowing is in Stats and Config.OnPack. FilterDefault false drops a metric
// before its key is built.
var silenceMetrics = sync.OnceFunc(func() {
	_, _ = metrics.NewGlobal(&metrics.Config{FilterDefault: false}, &metrics.BlackholeSink{})
})
