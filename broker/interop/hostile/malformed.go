package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// malformed are attacks with bytes that no correct peer sends, and with frames
// that no correct peer sends now.
func malformed() []attack {
	return []attack{
		// before the protocol header is agreed on [amqp-transport 2.2]
		{"garbage", true, endsAfter(garbage())},
		{"http-request", true, endsAfter([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))},
		{"wrong-version", true, endsAfter([]byte("AMQP\x00\x00\x09\x01"))},
		{"wrong-protocol-id", true, endsAfter([]byte("AMQP\x09\x01\x00\x00"))},
		{"header-twice", true, endsAfter([]byte(header), []byte(header))},
		{"torn-header", false, leavesAfter([]byte("AMQ"))},

		// frames [amqp-transport 2.3]
		{"torn-frame", false, leavesAfter([]byte(header), saysOpen()[:11])},
		{"frame-smaller-than-its-header", true, endsAfter(opened(), []byte{0, 0, 0, 7, 2, 0, 0, 0})},
		{"frame-of-size-0", true, endsAfter(opened(), make([]byte, 8))},
		{"frame-of-2-GiB", true, endsAfter(opened(), []byte{0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0}, make([]byte, 1000))},
		{"frame-beyond-the-limit", true, endsAfter(opened(), saysTransfer(0, 0, no, dataSection(128<<10)))},
		{"data-offset-1", true, endsAfter(opened(), []byte{0, 0, 0, 8, 1, 0, 0, 0})},
		{"data-offset-beyond-the-frame", true, endsAfter(opened(), []byte{0, 0, 0, 8, 9, 0, 0, 0})},
		{"frame-of-unknown-type", true, endsAfter(opened(), []byte{0, 0, 0, 9, 2, 7, 0, 0, 0x40})},
		{"sasl-frame-after-open", true, endsAfter(opened(), []byte{0, 0, 0, 12, 2, 1, 0, 0, 0x00, 0x53, 0x41, 0x45})},

		// values [amqp-types 1.6]
		{"unknown-constructor", true, endsAfter([]byte(header), frame(0, []byte{0x00, 0x53, open, 0xff}))},
		{"unknown-performative", true, endsAfter(opened(), says(0x99, null))},
		{"not-described", true, endsAfter(opened(), frame(0, list(null)))},
		{"wrong-type", true, endsAfter([]byte(header), says(open, uint32Value(7)))},
		{"wrong-type-in-field", true, endsAfter([]byte(header), says(open, stringValue("a"), null, yes))},
		{"mandatory-field-missing", true, endsAfter([]byte(header), says(open))},
		{"mandatory-field-null", true, endsAfter([]byte(header), says(open, null))},
		{"string-is-not-utf-8", true, endsAfter([]byte(header), says(open, stringValue("\xff\xfe")))},
		{"torn-value", true, endsAfter([]byte(header), frame(0, described(open, list(stringValue("a")))[:15]))},
		{"list-says-4-billion-items", true, endsAfter([]byte(header), frame(0, described(open, hugeList())))},
		{"string-says-4-GiB", true, endsAfter([]byte(header), says(open, []byte{0xb1, 0xff, 0xff, 0xff, 0xff, 'a'}))},
		{"nested-lists", true, endsAfter([]byte(header), says(open, openWithProperties(nestedLists(5000))...))},
		{"nested-descriptors", true, endsAfter([]byte(header), says(open, openWithProperties(bytes.Repeat([]byte{0x00}, 50_000))...))},
		{"array-of-2-billion-nothings", true, endsAfter([]byte(header), says(open, openWithProperties(zeroWidthArray())...))},

		// states
		{"begin-before-open", true, endsAfter([]byte(header), saysBegin())},
		{"open-twice", true, endsAfter(opened(), saysOpen())},
		{"begin-twice", true, endsAfter(opened(), saysBegin())},
		{"channel-without-session", true, endsAfter(opened(), frame(77, described(flow, list(null, uint32Value(1), uint32Value(0), uint32Value(1)))))},
		{"channel-beyond-the-limit", true, endsAfter(opened(), frame(0xffff, described(begin, list(null, uint32Value(0), uint32Value(1), uint32Value(1)))))},
		{"sasl-of-unknown-mechanism", true, endsAfter([]byte(saslHeader), saslInit("GSSAPI", nil))},
		{"sasl-of-torn-plain", true, endsAfter([]byte(saslHeader), saslInit("PLAIN", []byte("no zeros at all")))},
		{"sasl-outcome-from-client", true, endsAfter([]byte(saslHeader), []byte{0, 0, 0, 16, 2, 1, 0, 0, 0x00, 0x53, 0x44, 0xc0, 0x03, 0x01, 0x50, 0x00})},

		// faults of a session or a link: the connection may live
		{"transfer-without-link", false, livesAfter(opened(), saysTransfer(3, 0, no, dataSection(1)))},
		{"handle-in-use", false, livesAfter(opened(), saysAttach(0, sender, "hostile/x"), saysAttach(0, sender, "hostile/y"))},
		{"handle-beyond-the-limit", false, leavesAfter(opened(), saysAttach(0xffffffff, sender, "hostile/x"))},
		{"detach-without-link", false, livesAfter(opened(), says(detach, uint32Value(5)))},
		{"disposition-of-everything", false, livesAfter(opened(), everything(recver), everything(sender))},
		{"message-that-is-none", false, livesAfter(opened(), saysAttach(0, sender, "hostile/x"), saysTransfer(0, 0, no, garbage()))},
		{"message-that-is-empty", false, livesAfter(opened(), saysAttach(0, sender, "hostile/x"), saysTransfer(0, 0, no, nil))},
		{"delivery-tag-too-long", false, leavesAfter(opened(), saysAttach(0, sender, "hostile/x"), longTag())},
	}
}

// garbage is the same on every run.
func garbage() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 10_000)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func hugeList() []byte { return []byte{0xd0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff} }

// openWithProperties are the fields of an open whose properties are a map with
// one value.
func openWithProperties(value []byte) [][]byte {
	entry := append([]byte{0xa3, 1, 'k'}, value...)
	m := binary.BigEndian.AppendUint32([]byte{0xd1}, uint32(len(entry)+4))
	m = binary.BigEndian.AppendUint32(m, 2)
	m = append(m, entry...)
	return [][]byte{stringValue("attacker"), null, null, null, null, null, null, null, null, m}
}

// nestedLists are lists in lists, written from the outside in: each has the
// size of all that is within it.
func nestedLists(levels int) []byte {
	const perLevel = 9 // constructor, size, count
	var b []byte
	for within := levels - 1; within >= 0; within-- {
		b = binary.BigEndian.AppendUint32(append(b, 0xd0), uint32(within*perLevel+5))
		b = binary.BigEndian.AppendUint32(b, 1)
	}
	return append(b, 0x45)
}

// zeroWidthArray says 2^31 elements of no width: nothing on the wire, and
// gigabytes for who makes a slice of it.
func zeroWidthArray() []byte {
	return []byte{0xf0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, 0x45}
}

func saslInit(mechanism string, response []byte) []byte {
	name := append([]byte{0xa3, byte(len(mechanism))}, mechanism...)
	b := frame(0, described(0x41, list(name, binaryValue(response))))
	b[5] = 1 // frame type SASL
	return b
}

// everything settles all delivery-ids that there are.
func everything(role []byte) []byte {
	return says(disposition, role, uint32Value(0), uint32Value(0x7fffffff), yes, described(0x24, list0))
}

// longTag is a transfer with a delivery-tag beyond 32 bytes [amqp-transport 2.8.7].
func longTag() []byte {
	return frame(0, described(transfer, list(uint32Value(0), uint32Value(0), binaryValue(make([]byte, 1000)), uint32Value(0), no, no)), dataSection(1))
}
