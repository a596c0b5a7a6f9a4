package queue

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestDispatcherStories plays the files of testdata/dispatcher. Each command is
// one input, its output the effects. `go test -run Stories -rewrite` writes what
// happens; the difference is to be read as prose.
//
//	new [epoch=E] [buffer=N]         a new leader's dispatcher (the start of each file)
//	attach c=C [head=H] [tail=T] [delivered=D epoch=E] [max=N] [deliveries=N] [browse] [router]
//	limit|drain c=C to=N             SetLimit, Drain
//	enqueued FROM[-TO] [deadline=MS]
//	loaded id=L [FROM[-TO] ...] next=S [count=N] [note=TEXT]
//	loadfailed id=L
//	accepted|rejected|released c=C seq=S [ref=R]   ref 0: settled by the consumer itself
//	late c=C seq=S | sent c=C seq=S
//	late-modified c=C seq=S [failed] [note=TEXT] [failures=N] [again]
//	modified c=C seq=S [failed] [here] [note=TEXT]
//	removed|lost FROM[-TO] ...       Removed, RemoveFailed
//	modify-applied|modify-lost seq=S
//	marked upTo=S | mark-lost
//	return c=C seq=S
//	detach c=C | deleted | tick MS | holds S
func TestDispatcherStories(t *testing.T) {
	datadriven.Walk(t, "testdata/dispatcher", func(t *testing.T, path string) {
		s := &story{d: NewDispatcher(DispatcherConfig{Epoch: 1})}
		datadriven.RunTest(t, path, func(t *testing.T, cmd *datadriven.TestData) string {
			s.t, s.cmd = t, cmd
			out := s.play()
			checkDispatcher(t, s.d)
			return out
		})
	})
}

type story struct {
	t   *testing.T
	cmd *datadriven.TestData
	d   *Dispatcher
}

// num is the number of an argument, or its default.
func (s *story) num(name string, otherwise uint64) uint64 {
	v := otherwise
	s.cmd.MaybeScanArgs(s.t, name, &v)
	return v
}

func (s *story) has(name string) bool { return s.cmd.HasArg(name) }

func (s *story) consumer() ConsumerID { return ConsumerID(s.num("c", 0)) }
func (s *story) seq() Seq             { return Seq(s.num("seq", 0)) }

func (s *story) note() []byte {
	var note string
	s.cmd.MaybeScanArgs(s.t, "note", &note)
	return []byte(note)
}

// runs are the arguments that look like FROM or FROM-TO.
func (s *story) runs() (runs []Run) {
	for _, a := range s.cmd.CmdArgs {
		from, to, both := strings.Cut(a.Key, "-")
		first, err := strconv.ParseUint(from, 10, 64)
		if err != nil {
			continue
		}
		last := first
		if both {
			last, _ = strconv.ParseUint(to, 10, 64)
		}
		runs = append(runs, Run{First: Seq(first), Count: uint32(last - first + 1)})
	}
	return runs
}

func (s *story) messages() (msgs []Message) {
	for _, r := range s.runs() {
		for seq := r.First; seq < r.End(); seq++ {
			msgs = append(msgs, Message{
				Queue: 1, Seq: seq, Payload: []byte("12345"),
				DeadlineMillis: int64(s.num("deadline", 0)),
				DeliveryCount:  uint32(s.num("count", 0)),
				Annotations:    s.note(),
			})
		}
	}
	return msgs
}

func (s *story) play() string {
	d, c := s.d, s.consumer()
	switch s.cmd.Cmd {
	case "new":
		s.d = NewDispatcher(DispatcherConfig{Epoch: s.num("epoch", 1), BufferMessages: int(s.num("buffer", 0))})
		return ""
	case "attach":
		state := State{
			Head: Seq(s.num("head", 1)), Tail: Seq(s.num("tail", s.num("head", 1))),
			DeliveredUpTo: Seq(s.num("delivered", 0)), MarkEpoch: s.num("epoch", 0),
		}
		d.Attach(c, 1, AttachOptions{Browse: s.has("browse"), NoExclude: s.has("router"), MaxUnsettled: uint32(s.num("max", 0))},
			Snapshot{State: state, MaxDeliveries: uint32(s.num("deliveries", 0))})
	case "limit":
		d.SetLimit(c, s.num("to", 0))
	case "drain":
		d.Drain(c, s.num("to", 0))
	case "enqueued":
		d.Enqueued(1, s.messages())
	case "loaded":
		d.Loaded(1, LoadID(s.num("id", 0)), s.messages(), Seq(s.num("next", 0)))
	case "loadfailed":
		d.LoadFailed(1, LoadID(s.num("id", 0)))
	case "accepted":
		d.Outcome(c, s.seq(), s.num("ref", 7), Outcome{Kind: Accepted})
	case "rejected":
		d.Outcome(c, s.seq(), s.num("ref", 7), Outcome{Kind: RejectedKind})
	case "late":
		d.Late(c, s.seq(), 8, Outcome{Kind: Accepted})
	case "late-modified":
		d.Late(c, s.seq(), 9, Outcome{Kind: Modified, Failed: s.has("failed"), Annotations: s.note(),
			Failures: uint32(s.num("failures", 0)), Again: s.has("again")})
	case "sent":
		d.Sent(c, s.seq())
	case "released":
		d.Outcome(c, s.seq(), s.num("ref", 7), Outcome{Kind: Released})
	case "modified":
		o := Outcome{Kind: Modified, Failed: s.has("failed"), Here: s.has("here")}
		o.Annotations = s.note()
		d.Outcome(c, s.seq(), 7, o)
	case "removed":
		d.Removed(1, s.runs())
	case "lost":
		d.RemoveFailed(1, s.runs())
	case "modify-applied":
		d.Modified(1, s.seq())
	case "modify-lost":
		d.ModifyFailed(1, s.seq())
	case "marked":
		d.Marked(1, Seq(s.num("upTo", 0)))
	case "mark-lost":
		d.MarkFailed(1)
	case "return":
		d.Return(c, s.seq())
	case "detach":
		d.Detach(c)
	case "deleted":
		d.DeletedQueue(1)
	case "configure":
		d.Configure(1, uint32(s.num("deliveries", 0)))
	case "tick":
		d.Tick(int64(s.runs()[0].First))
	case "holds":
		return fmt.Sprintln(d.Active(1) && d.Holds(1, s.runs()[0].First))
	default:
		s.t.Fatalf("%s: no such command: %s", s.cmd.Pos, s.cmd.Cmd)
	}
	return s.effects()
}

// effects shows the effects, one a line, and when Tick wants to be called if
// that changed.
func (s *story) effects() string {
	var b strings.Builder
	for _, e := range s.d.Effects() {
		fmt.Fprintf(&b, "%s%s\n", e.Kind, showEffect(e))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

func showEffect(e Effect) string {
	switch e.Kind {
	case EffectDeliver:
		m := e.Message
		out := fmt.Sprintf(" c%d seq=%d count=%d", e.Consumer, m.Seq, m.DeliveryCount)
		if m.FirstAcquirer {
			out += " first-acquirer"
		}
		if len(m.Annotations) > 0 {
			out += fmt.Sprintf(" note=%s", m.Annotations)
		}
		return out
	case EffectLoad:
		return fmt.Sprintf(" id=%d from=%d messages=%d", e.Load, e.From, e.MaxMessages)
	case EffectRemove:
		out := fmt.Sprintf(" %s %d-%d bytes=%d", e.Reason, e.Run.First, e.Run.End()-1, e.Run.Bytes)
		if !e.Awaited {
			out += " unhurried"
		}
		return out
	case EffectModify:
		out := fmt.Sprintf(" seq=%d count=%d", e.Seq, e.Count)
		if len(e.Annotations) > 0 {
			out += fmt.Sprintf(" note=%s", e.Annotations)
		}
		return out
	case EffectMark:
		return fmt.Sprintf(" upTo=%d epoch=%d", e.Seq, e.Epoch)
	case EffectConfirmed, EffectOutcomeFailed:
		return fmt.Sprintf(" c%d seq=%d ref=%d", e.Consumer, e.Seq, e.Ref)
	case EffectDrained, EffectGone:
		return fmt.Sprintf(" c%d", e.Consumer)
	case EffectRecall:
		return fmt.Sprintf(" c%d seq=%d", e.Consumer, e.Seq)
	}
	return ""
}
