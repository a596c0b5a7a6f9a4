package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The subjects of the hot path, as a busy link shows them.
var (
	hotTransfer = Transfer{Handle: 1, DeliveryID: Some[uint32](70000), DeliveryTag: []byte{1, 2, 3, 4},
		MessageFormat: Some[uint32](0), Settled: Some(false), State: DeliveryState{Kind: StateAccepted}, Batchable: true}
	hotDisposition = Disposition{Role: RoleReceiver, First: 70000, Last: Some[uint32](70100), Settled: true,
		State: DeliveryState{Kind: StateAccepted}}
	hotModified = Disposition{Role: RoleReceiver, First: 3, Settled: true, State: DeliveryState{Kind: StateModified,
		Modified: Modified{DeliveryFailed: true, MessageAnnotations: AppendAny(nil, Map{{Symbol("x-why"), "late"}})}}}
	hotFlow = Flow{NextIncomingID: Some[uint32](9), IncomingWindow: 2048, NextOutgoingID: 1000, OutgoingWindow: 2048,
		Handle: Some[uint32](1), DeliveryCount: Some[uint32](5000), LinkCredit: Some[uint32](256)}
	hotMessage = Message{
		Header:                &Header{Durable: true, TTL: Some[uint32](60000)},
		DeliveryAnnotations:   Map{{Symbol("x-hop"), uint32(1)}},
		MessageAnnotations:    Map{{Symbol("x-opt-a"), "b"}},
		Properties:            &Properties{MessageID: "message-1", To: "telemetry/a", AbsoluteExpiryTime: Some[Timestamp](1 << 41)},
		ApplicationProperties: Map{{"device", "d-1"}, {"n", int32(7)}},
		Data:                  [][]byte{make([]byte, 1024)},
	}
)

// TestHotPathAllocatesNothing holds what is done for every message against its
// budget: no allocation, given room in the output.
func TestHotPathAllocatesNothing(t *testing.T) {
	for _, hot := range hotPath() {
		t.Run(hot.name, func(t *testing.T) {
			require.Zero(t, testing.AllocsPerRun(100, hot.run))
		})
	}
}

func BenchmarkHotPath(b *testing.B) {
	for _, hot := range hotPath() {
		b.Run(hot.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				hot.run()
			}
		})
	}
}

type hotCase struct {
	name string
	run  func()
}

func hotPath() []hotCase {
	out := make([]byte, 0, 4096)
	transfer, disposition := hotTransfer.Append(nil), hotDisposition.Append(nil)
	modified, flow, message := hotModified.Append(nil), hotFlow.Append(nil), hotMessage.Append(nil)
	frame := AppendEmptyFrame(nil)
	var tr Transfer
	var d Disposition
	var fl Flow
	return []hotCase{
		{"transfer append", func() { out = hotTransfer.Append(out[:0]) }},
		{"transfer decode", func() { r := NewReader(transfer); must0(tr.Decode(&r)) }},
		{"disposition append", func() { out = hotDisposition.Append(out[:0]) }},
		{"disposition decode", func() { r := NewReader(disposition); must0(d.Decode(&r)) }},
		{"modified append", func() { out = hotModified.Append(out[:0]) }},
		{"modified decode", func() { r := NewReader(modified); must0(d.Decode(&r)) }},
		{"flow append", func() { out = hotFlow.Append(out[:0]) }},
		{"flow decode", func() { r := NewReader(flow); must0(fl.Decode(&r)) }},
		{"frame", func() {
			_, err := ParseFrameHeader(frame, 512)
			must0(err)
			out = BeginFrame(out[:0], FrameAMQP, 1)
			EndFrame(out, 0)
		}},
		{"peek descriptor", func() { _, err := PeekDescriptor(transfer); must0(err) }},
		{"message scan", func() { _, err := ScanMessage(message); must0(err) }},
		{"message scan and expiry", func() {
			s, err := ScanMessage(message)
			must0(err)
			_, err = s.Expiry(message)
			must0(err)
		}},
		{"header patch", func() {
			head, _, err := AppendPatched(out[:0], message, Patch{FirstAcquirer: true, TTL: Some[uint32](5)})
			must0(err)
			out = head
		}},
		{"message append", func() { out = hotMessage.Append(out[:0]) }},
	}
}

func must0(err error) {
	if err != nil {
		panic(err)
	}
}
