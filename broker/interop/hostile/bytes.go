package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The attacker's own encoder: it can say what a correct one cannot, and no codec
// of the broker's judges itself.

const (
	header     = "AMQP\x00\x01\x00\x00" // [amqp-transport 2.2]
	saslHeader = "AMQP\x03\x01\x00\x00"
)

// Performatives [amqp-transport 2.7].
const (
	open        = 0x10
	begin       = 0x11
	attach      = 0x12
	flow        = 0x13
	transfer    = 0x14
	disposition = 0x15
	detach      = 0x16
	closing     = 0x18
)

var (
	null   = []byte{0x40}
	yes    = []byte{0x41}
	no     = []byte{0x42}
	list0  = []byte{0x45}
	sender = no // the values of role
	recver = yes
)

func uint32Value(v uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0x70}, v) }

func stringValue(s string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xb1}, uint32(len(s))), s...)
}

func binaryValue(s []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xb0}, uint32(len(s))), s...)
}

// list encodes a list32 of items that are encoded already.
func list(items ...[]byte) []byte {
	body := bytes.Join(items, nil)
	b := binary.BigEndian.AppendUint32([]byte{0xd0}, uint32(len(body)+4))
	b = binary.BigEndian.AppendUint32(b, uint32(len(items)))
	return append(b, body...)
}

func described(code byte, value []byte) []byte {
	return append([]byte{0x00, 0x53, code}, value...)
}

// frame is a frame of type AMQP with any body [amqp-transport 2.3].
func frame(channel uint16, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	b := binary.BigEndian.AppendUint32(nil, uint32(len(all)+8))
	b = append(b, 2, 0)
	b = binary.BigEndian.AppendUint16(b, channel)
	return append(b, all...)
}

// says is a frame on channel 0 with a performative.
func says(code byte, fields ...[]byte) []byte { return frame(0, described(code, list(fields...))) }

func saysOpen() []byte { return says(open, stringValue("attacker")) }

// saysBegin: remote-channel, next-outgoing-id, incoming-window, outgoing-window.
func saysBegin() []byte {
	return says(begin, null, uint32Value(0), uint32Value(1<<30), uint32Value(1<<30))
}

// saysAttach attaches a link; the attacker sends on it or receives.
func saysAttach(handle uint32, role []byte, address string) []byte {
	source, target := described(0x28, list(stringValue(address))), described(0x29, list())
	if bytes.Equal(role, sender) {
		source, target = described(0x28, list()), described(0x29, list(stringValue(address)))
	}
	name := stringValue(fmt.Sprint(address, "#", handle))
	return says(attach, name, uint32Value(handle), role, null, null, source, target, null, null, uint32Value(0))
}

// saysFlow grants credit on a link: the fields of the session, then handle,
// delivery-count, link-credit, available, drain, echo.
func saysFlow(handle, credit uint32, echo []byte) []byte {
	return says(flow, uint32Value(0), uint32Value(1<<30), uint32Value(0), uint32Value(1<<30),
		uint32Value(handle), uint32Value(0), uint32Value(credit), null, no, echo)
}

// saysTransfer sends a delivery, or a part of one.
func saysTransfer(handle, id uint32, more []byte, payload []byte) []byte {
	tag := binaryValue(binary.BigEndian.AppendUint32(nil, id))
	return frame(0, described(transfer, list(uint32Value(handle), uint32Value(id), tag, uint32Value(0), no, more)), payload)
}

// dataSection is a message body of one data section.
func dataSection(size int) []byte { return described(0x75, binaryValue(make([]byte, size))) }

// opened is a connection with a session on channel 0, in one write.
func opened() []byte { return join([]byte(header), saysOpen(), saysBegin()) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
