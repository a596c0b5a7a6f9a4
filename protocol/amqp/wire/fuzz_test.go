package wire

import (
	"bytes"
	"testing"
)

// FuzzReader: whatever the bytes are, reading them ends without a panic, within
// them, and what was read can be written and read again with the same result.
func FuzzReader(f *testing.F) {
	for _, e := range encodings {
		f.Add(unhex(f, e.hex))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		r, s := NewReader(p), NewReader(p)
		v, err := r.ReadAny()
		skipErr := s.Skip()
		if err != nil {
			return
		}
		if skipErr != nil || s.Offset() != r.Offset() {
			t.Fatalf("Skip: %v at %d, ReadAny: %d", skipErr, s.Offset(), r.Offset())
		}
		once := AppendAny(nil, v)
		again := NewReader(once)
		w, err := again.ReadAny()
		if err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
		if twice := AppendAny(nil, w); !bytes.Equal(once, twice) {
			t.Fatalf("%x became %x", once, twice)
		}
	})
}

// FuzzFrame: a frame with any bytes is refused or decoded, and what was decoded
// keeps its meaning through Append and Decode.
func FuzzFrame(f *testing.F) {
	for _, c := range composites() {
		b := BeginFrame(nil, FrameAMQP, 1)
		b = c.Append(b)
		EndFrame(b, 0)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < FrameHeaderSize {
			return
		}
		h, err := ParseFrameHeader(p, 1<<16)
		if err != nil || int(h.Size) > len(p) {
			return
		}
		body := h.Body(p)
		d, err := PeekDescriptor(body)
		if err != nil {
			return
		}
		for _, c := range composites() {
			if c.Descriptor() == d {
				fuzzComposite(t, c, body)
			}
		}
	})
}

func fuzzComposite(t *testing.T, c Composite, body []byte) {
	r := NewReader(body)
	if err := c.Decode(&r); err != nil {
		if _, ok := err.(*DecodeError); !ok {
			t.Fatalf("%T is no DecodeError", err)
		}
		return
	}
	once := c.Append(nil)
	r = NewReader(once)
	if err := c.Decode(&r); err != nil {
		t.Fatalf("what was written can't be read: %v", err)
	}
	if twice := c.Append(nil); !bytes.Equal(once, twice) {
		t.Fatalf("%x became %x", once, twice)
	}
}

// FuzzMessage: a message that the scan lets through can be delivered: patched,
// annotated, and scanned again.
func FuzzMessage(f *testing.F) {
	f.Add(unhex(f, hexHeader+hexDA+hexMA+hexBare))
	f.Add(unhex(f, hexValue))
	f.Add(unhex(f, hexSeq+hexSeq))
	f.Add(hotMessage.Append(nil))
	extra := Raw(AppendAny(nil, Map{{Symbol("x-why"), "late"}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := ScanMessage(p)
		var m Message
		if decodeErr := m.Decode(p); err != nil && decodeErr == nil {
			t.Fatal("decoded what the scan refuses")
		}
		if err != nil {
			return
		}
		_, _ = s.Expiry(p)
		head, rest, err := AppendPatched(nil, p, Patch{FailedDeliveries: 1})
		mustScan(t, head, rest, err)
		head, rest, err = AppendPatchedAnnotated(nil, p, Patch{}, extra)
		mustScan(t, head, rest, err)
		if got, err := ScanMessage(append(head, rest...)); err != nil || got.BodyKind != s.BodyKind {
			t.Fatalf("the body changed: %v", err)
		}
	})
}

func mustScan(t *testing.T, head, rest []byte, err error) {
	if err != nil {
		t.Fatalf("a stored message can't be sent: %v", err)
	}
	if _, err := ScanMessage(append(head, rest...)); err != nil {
		t.Fatalf("what is sent is no message: %v", err)
	}
}
