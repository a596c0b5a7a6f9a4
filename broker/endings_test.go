package broker

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"entrepot/broker/config"
	"entrepot/protocol/amqp/wire"
)

// logLines is a log that a test can read.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// about are the lines that speak of connections, links and sessions.
func (l *logLines) about() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, "connection ") || strings.Contains(line, "link or session") || strings.Contains(line, "login") {
			lines = append(lines, line)
		}
	}
	return lines
}

// want waits for one line that says so, and no other.
func (l *logLines) want(t *testing.T, words string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(l.about()) > 0 }, peerPatience, pollEvery)
	require.Len(t, l.about(), 1)
	require.Contains(t, l.about()[0], words)
}

func startLogged(t *testing.T, cfg config.Config) (*Broker, *logLines) {
	t.Helper()
	lines := &logLines{}
	b, err := New(cfg, slog.New(slog.NewTextHandler(lines, nil)))
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Shutdown(context.Background())) })
	return b, lines
}

// Whatever a client does, its end shows in one metric and one line.
func TestEndingsCount(t *testing.T) {
	tests := []struct {
		name, condition string
		act             func(t *testing.T, b *Broker)
	}{
		{"another protocol", string(wire.CondFramingError), func(t *testing.T, b *Broker) {
			p := dialPeer(t, b)
			p.out = []byte("GET / HTTP/1.1\r\n\r\n")
			p.flush()
			p.awaitEnd()
		}},
		{"an endless frame", string(wire.CondFramingError), func(t *testing.T, b *Broker) {
			p := openPeer(t, b, "c")
			p.out = []byte{0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0}
			p.flush()
			require.Equal(t, wire.CondFramingError, until[wire.Close](p, "").Error.Condition)
			require.NoError(t, p.nc.Close())
		}},
		{"a frame in the wrong state", string(wire.CondIllegalState), func(t *testing.T, b *Broker) {
			p := openPeer(t, b, "c")
			p.frame(0, &wire.Open{ContainerID: "again"}).flush()
			until[wire.Close](p, "")
		}},
		{"hung up", endHungUp, func(t *testing.T, b *Broker) {
			require.NoError(t, openPeer(t, b, "c").nc.Close())
		}},
		{"cut off in a frame", endHungUp, func(t *testing.T, b *Broker) {
			p := openPeer(t, b, "c")
			p.sendsTo(0, "q")
			p.out = p.out[:len(p.out)-1]
			p.flush()
			require.NoError(t, p.nc.Close())
		}},
		{"takes nothing", endStalled, func(t *testing.T, b *Broker) {
			openPeer(t, b, "c")
			for _, c := range b.openConns() {
				c.post(func() { c.socketFailed(os.ErrDeadlineExceeded) })
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, lines := startLogged(t, testConfig(t.TempDir()))
			test.act(t, b)
			require.Eventually(t, func() bool { return b.Metrics().ConnectionsFailed[test.condition] == 1 }, peerPatience, pollEvery)
			lines.want(t, test.condition)
		})
	}
}

func TestFaultsOfLinksCountAndTheFirstIsLogged(t *testing.T) {
	b, lines := startLogged(t, testConfig(t.TempDir()))
	p := openPeer(t, b, "c")
	for i := range uint32(10) {
		p.sendsTo(i, "q", func(a *wire.Attach) { a.Target.Dynamic = true })
	}
	p.frame(0, &wire.Detach{Handle: 99}).flush() // not attached: the session ends
	until[wire.End](p, "")
	require.Eventually(t, func() bool {
		failed := b.Metrics().LinksFailed
		return failed[string(wire.CondNotImplemented)] == 10 && failed[string(wire.CondUnattachedHandle)] == 1
	}, peerPatience, pollEvery, "%v", b.Metrics().LinksFailed)
	lines.want(t, "link or session failed") // a client can't fill the log with what it does in one connection
}

func TestRefusedLoginIsOneLine(t *testing.T) {
	hash, err := config.HashPassword("right")
	require.NoError(t, err)
	cfg := testConfig(t.TempDir())
	cfg.Users = []config.User{{Name: "ann", PasswordHash: hash}}
	b, lines := startLogged(t, cfg)
	dial := func(password string) error {
		c, err := amqp.Dial(t.Context(), "amqp://"+b.Addresses()[0], &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("ann", password)})
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	require.NoError(t, dial("right"))
	require.Error(t, dial("wrong"))
	require.Eventually(t, func() bool {
		m := b.Metrics()
		return m.LoginsRefused == 1 && m.ConnectionsFailed[string(wire.CondUnauthorizedAccess)] == 1
	}, peerPatience, pollEvery)
	lines.want(t, "user=ann")
}

func TestConnectionBeyondTheLimitIsALine(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.Limits.MaxConnections = 1
	b, lines := startLogged(t, cfg)
	openPeer(t, b, "c")
	dialPeer(t, b).awaitEnd()
	require.EqualValues(t, 1, b.Metrics().ConnectionsFailed[endTooMany])
	lines.want(t, endTooMany)
}

// A client may hang up its half as soon as it has said close. What is on its way
// to it still comes.
func TestCloseAndHalfClose(t *testing.T) {
	b, lines := startLogged(t, testConfig(t.TempDir()))
	const n = 600
	fillWith(t, b, "q", n, strings.Repeat("x", 16<<10)) // more than the kernel takes
	p := dialPeer(t, b)
	require.NoError(t, p.nc.(*net.TCPConn).SetReadBuffer(64<<10))
	p.hello("half").begin(0).receivesFrom(0, "q", settledAs(wire.SenderSettled)).grants(0, 0, n, false).flush()
	c := connOf(t, b, "half")
	require.Eventually(t, func() bool { return ask(c, func() bool { return c.output.writing && c.outputFull() }) },
		peerPatience, pollEvery, "the broker waits for the client to read")
	p.frame(0, &wire.Close{}).flush()
	require.NoError(t, p.nc.(*net.TCPConn).CloseWrite())
	end := p.awaitEnd()
	require.NotNil(t, end, "the broker's close comes too: %v", lines.about())
	require.Empty(t, b.Metrics().ConnectionsFailed)
	require.Empty(t, lines.about())
}

func TestSocketGivesUpAPeerThatTakesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	to, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer func() { _ = to.Close() }()
	from, err := l.Accept()
	require.NoError(t, err)
	s := newSocket(from)
	defer s.close()
	err = s.write(make([]byte, 64<<20), 50*time.Millisecond)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
