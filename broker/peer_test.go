package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"entrepot/protocol/amqp/wire"
)

// A peer is a client that says what it is told to, frame by frame, right or wrong.
// Frames gather in a buffer until flush, so that a test decides what travels in
// one write.
type peer struct {
	t   *testing.T
	nc  net.Conn
	out []byte
	in  []byte
	// skipped are frames that until has passed over.
	skipped []wire.Composite

	nextDelivery uint32
}

// peerPatience is how long a peer waits for a frame before the test fails.
const peerPatience = 10 * time.Second

// pollEvery is how often a test looks at a counter that will change.
const pollEvery = 2 * time.Millisecond

// dialPeer connects and says nothing.
func dialPeer(t *testing.T, b *Broker) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", b.Addresses()[0])
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t: t, nc: nc}
}

// openPeer has a connection with one session, on channel 0, and nothing unread.
func openPeer(t *testing.T, b *Broker, container string) *peer {
	t.Helper()
	p := dialPeer(t, b)
	p.hello(container).begin(0).flush()
	until[wire.Begin](p, "the session begins")
	return p
}

// hello is a bare protocol header and an open.
func (p *peer) hello(container string) *peer {
	p.out = wire.AppendProtocolHeader(p.out, wire.ProtocolAMQP)
	return p.frame(0, &wire.Open{ContainerID: container, MaxFrameSize: 1 << 20, ChannelMax: 1000})
}

func (p *peer) begin(channel uint16) *peer {
	return p.frame(channel, &wire.Begin{IncomingWindow: 1 << 20, OutgoingWindow: 1 << 20, HandleMax: 1 << 20})
}

// frame adds a performative, and a payload behind it.
func (p *peer) frame(channel uint16, f wire.Composite, payload ...byte) *peer {
	start := len(p.out)
	p.out = append(f.Append(wire.BeginFrame(p.out, wire.FrameAMQP, channel)), payload...)
	wire.EndFrame(p.out, start)
	return p
}

func (p *peer) flush() {
	p.t.Helper()
	_, err := p.nc.Write(p.out)
	require.NoError(p.t, err)
	p.out = p.out[:0]
}

// sendsTo attaches a sending link; tune may change the attach.
func (p *peer) sendsTo(handle uint32, address string, tune ...func(*wire.Attach)) *peer {
	a := &wire.Attach{Name: fmt.Sprintf("to-%s-%d", address, handle), Handle: handle, Role: wire.RoleSender,
		SndSettleMode: wire.SenderMixed, Source: &wire.Source{}, Target: &wire.Target{Address: wire.Some(address)},
		InitialDeliveryCount: wire.Some[uint32](0)}
	for _, f := range tune {
		f(a)
	}
	return p.frame(0, a)
}

// receivesFrom attaches a receiving link; tune may change the attach.
func (p *peer) receivesFrom(handle uint32, address string, tune ...func(*wire.Attach)) *peer {
	a := &wire.Attach{Name: fmt.Sprintf("from-%s-%d", address, handle), Handle: handle, Role: wire.RoleReceiver,
		SndSettleMode: wire.SenderMixed, Source: &wire.Source{Address: wire.Some(address)}, Target: &wire.Target{}}
	for _, f := range tune {
		f(a)
	}
	return p.frame(0, a)
}

func named(name string) func(*wire.Attach) { return func(a *wire.Attach) { a.Name = name } }

func browsing(a *wire.Attach) { a.Source.DistributionMode = wire.DistributionCopy }

// sessionFlow is a flow's half that speaks of the session.
func (p *peer) sessionFlow() wire.Flow {
	return wire.Flow{NextIncomingID: wire.Some[uint32](0), IncomingWindow: 1 << 20, OutgoingWindow: 1 << 20}
}

// grants sets the credit of a receiving link on which count deliveries have come.
func (p *peer) grants(handle, count, credit uint32, drain bool) *peer {
	f := p.sessionFlow()
	f.Handle, f.DeliveryCount, f.LinkCredit, f.Drain = wire.Some(handle), wire.Some(count), wire.Some(credit), drain
	return p.frame(0, &f)
}

// message is a message with one data section.
func message(text string) []byte {
	b := append([]byte{0x00, 0x53, 0x75, 0xb0}, binary.BigEndian.AppendUint32(nil, uint32(len(text)))...)
	return append(b, text...)
}

// textOf is the body of a message with one data section.
func textOf(t *testing.T, payload []byte) string {
	t.Helper()
	sections, err := wire.ScanMessage(payload)
	require.NoError(t, err)
	body := sections.Body.Of(payload)[3:]
	if body[0] == 0xb0 { // binary of 4 bytes of length
		return string(body[5:])
	}
	return string(body[2:])
}

// transfers sends a message in one frame.
func (p *peer) transfers(handle uint32, text string, settled bool) *peer {
	id := p.nextDelivery
	p.nextDelivery++
	return p.frame(0, &wire.Transfer{Handle: handle, DeliveryID: wire.Some(id), DeliveryTag: binary.BigEndian.AppendUint32(nil, id),
		MessageFormat: wire.Some[uint32](0), Settled: wire.Some(settled)}, message(text)...)
}

// settles tells an outcome of the deliveries first to last.
func (p *peer) settles(first, last uint32, kind wire.StateKind, settled bool) *peer {
	return p.frame(0, &wire.Disposition{Role: wire.RoleReceiver, First: first, Last: wire.Some(last), Settled: settled,
		State: wire.DeliveryState{Kind: kind}})
}

// received is a frame that has come.
type received struct {
	frame   wire.Composite
	payload []byte // of a transfer
}

// next reads one frame; ok is false when the broker has closed the connection.
func (p *peer) next() (r received, ok bool) {
	p.t.Helper()
	for {
		if r, ok := p.cut(); ok {
			return r, true
		}
		require.NoError(p.t, p.nc.SetReadDeadline(time.Now().Add(peerPatience)))
		buf := make([]byte, 64<<10)
		n, err := p.nc.Read(buf)
		p.in = append(p.in, buf[:n]...)
		if n == 0 && err != nil {
			if err != io.EOF {
				p.t.Logf("peer: %v", err)
			}
			return received{}, false
		}
	}
}

// cut takes the next whole frame off the input. Protocol headers and empty frames
// are passed over.
func (p *peer) cut() (r received, ok bool) {
	p.t.Helper()
	for len(p.in) >= wire.FrameHeaderSize {
		if string(p.in[:4]) == "AMQP" {
			p.in = p.in[wire.ProtocolHeaderSize:]
			continue
		}
		h, err := wire.ParseFrameHeader(p.in, 2<<20)
		require.NoError(p.t, err)
		if len(p.in) < int(h.Size) {
			break
		}
		body := append([]byte(nil), h.Body(p.in)...)
		p.in = p.in[h.Size:]
		if len(body) > 0 {
			return p.decode(body), true
		}
	}
	return received{}, false
}

func (p *peer) decode(body []byte) received {
	p.t.Helper()
	d, err := wire.PeekDescriptor(body)
	require.NoError(p.t, err)
	f := map[wire.Descriptor]wire.Composite{
		wire.DescOpen: &wire.Open{}, wire.DescBegin: &wire.Begin{}, wire.DescAttach: &wire.Attach{},
		wire.DescFlow: &wire.Flow{}, wire.DescTransfer: &wire.Transfer{}, wire.DescDisposition: &wire.Disposition{},
		wire.DescDetach: &wire.Detach{}, wire.DescEnd: &wire.End{}, wire.DescClose: &wire.Close{},
	}[d]
	require.NotNil(p.t, f, "an unexpected %v came", d)
	r := wire.NewReader(body)
	require.NoError(p.t, f.Decode(&r))
	return received{f, r.Rest()}
}

// until reads up to the next frame of a kind.
func until[F any, P interface {
	*F
	wire.Composite
}](p *peer, why string) *F {
	p.t.Helper()
	f, _ := untilPayload[F, P](p, why)
	return f
}

// untilPayload is until, with what followed the performative.
func untilPayload[F any, P interface {
	*F
	wire.Composite
}](p *peer, why string) (*F, []byte) {
	p.t.Helper()
	for {
		r, ok := p.next()
		if !ok {
			require.FailNow(p.t, "the broker has closed the connection", "waiting for %T: %s; skipped %+v", P(nil), why, p.skipped)
		}
		if f, ok := r.frame.(P); ok {
			return f, r.payload
		}
		p.skipped = append(p.skipped, r.frame)
	}
}

// gets takes the next message and checks its text.
func (p *peer) gets(text, why string) *wire.Transfer {
	p.t.Helper()
	f, payload := untilPayload[wire.Transfer](p, why)
	require.Equal(p.t, text, textOf(p.t, payload), why)
	return f
}

// drained asks for a drain and waits for the answer; it gives the texts that came
// before it. Nothing can come for the link behind it.
func (p *peer) drained(handle, count, credit uint32, why string) (texts []string) {
	p.t.Helper()
	p.grants(handle, count, credit, true).flush()
	for {
		r, ok := p.next()
		require.True(p.t, ok, "the connection ended: %s", why)
		switch f := r.frame.(type) {
		case *wire.Transfer:
			texts = append(texts, textOf(p.t, r.payload))
		case *wire.Flow:
			if f.Handle.Set && f.Handle.V == handle && f.LinkCredit.V == 0 {
				require.Equal(p.t, count+credit, f.DeliveryCount.V, "all credit is used up: %s", why)
				return texts
			}
		}
	}
}

// awaitEnd reads until the broker has closed the socket, and gives its close frame,
// nil if there was none.
func (p *peer) awaitEnd() *wire.Close {
	p.t.Helper()
	var last *wire.Close
	for {
		r, ok := p.next()
		if !ok {
			return last
		}
		if f, ok := r.frame.(*wire.Close); ok {
			last = f
		}
	}
}

// dialQuietly connects, if the broker still listens.
func dialQuietly(b *Broker) (net.Conn, error) { return net.Dial("tcp", b.Addresses()[0]) }
