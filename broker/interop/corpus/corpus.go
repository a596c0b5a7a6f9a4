// Package corpus is the set of messages that the interop suites hand to one
// another through the broker: every encoding of every AMQP type, in every place
// of a message where it may stand, written out byte by byte. Nothing here uses
// a codec, so that it can judge all of them.
//
// The suites in other languages read corpus.json, which a test keeps equal to
// All.
package corpus

import (
	"encoding/hex"
	"slices"

	"github.com/Azure/go-amqp"
)

// Message is one encoded message.
type Message struct {
	Name string `json:"name"`
	// Hex is the whole message, in hexadecimal, without a header section.
	Hex string `json:"hex"`
	// GoAMQP says that go-amqp can decode it. It does not know decimals, chars
	// and several kinds of array, and ends the link when it meets one.
	GoAMQP bool `json:"goamqp"`
}

// Bytes is the encoded message.
func (m *Message) Bytes() []byte {
	b, err := hex.DecodeString(m.Hex)
	if err != nil {
		panic(err) // checked in by us
	}
	return b
}

// All is the whole corpus, in a fixed order.
func All() []Message {
	all := slices.Concat(bodies(), messageIDs(), inApplicationProperties(), inAnnotations(), wholes())
	for i := range all {
		all[i].GoAMQP = new(amqp.Message).UnmarshalBinary(all[i].Bytes()) == nil
	}
	return all
}

// Descriptors of the sections [amqp-messaging 3.2].
const (
	deliveryAnnotations   = "005371"
	messageAnnotations    = "005372"
	properties            = "005373"
	applicationProperties = "005374"
	data                  = "005375"
	sequence              = "005376"
	value                 = "005377"
	footer                = "005378"
)

// oneByte is the shortest body: a data section of one byte.
const oneByte = data + "a00178"

func bodies() []Message {
	out := []Message{
		{Name: "data/empty", Hex: data + "a000"},
		{Name: "data/one", Hex: data + "a003000102"},
		{Name: "data/wide", Hex: data + "b000000003000102"},
		{Name: "data/several", Hex: data + "a00161" + data + "a000" + data + "b00000000162"},
		{Name: "sequence/empty", Hex: sequence + "45"},
		{Name: "sequence/one", Hex: sequence + list8(3, "41"+"5401"+"42")},
		{Name: "sequence/several", Hex: sequence + "c0020142" + sequence + "45" + sequence + "d00000000500000001" + "40"},
	}
	for _, v := range values() {
		out = append(out, Message{Name: "value/" + v.name, Hex: value + v.hex})
	}
	return out
}

// messageIDs: the four types that a message-id may have [amqp-messaging 3.2.11].
func messageIDs() []Message {
	ids := []encoded{
		{"ulong", "80ffffffffffffffff"},
		{"uuid", "98" + someUUID},
		{"binary", "a003fffe00"},
		{"string", "a103c3bc21"},
	}
	var out []Message
	for _, id := range ids {
		out = append(out, Message{Name: "message-id/" + id.name, Hex: properties + list8(1, id.hex) + oneByte})
		out = append(out, Message{Name: "correlation-id/" + id.name, Hex: properties + list8(6, "4040404040"+id.hex) + oneByte})
	}
	return out
}

// inApplicationProperties: keys are strings, values any simple type
// [amqp-messaging 3.2.5].
func inApplicationProperties() []Message {
	var out []Message
	for _, v := range values() {
		if v.simple() {
			out = append(out, Message{Name: "application-property/" + v.name,
				Hex: applicationProperties + map8(2, "a1016b"+v.hex) + oneByte})
		}
	}
	return out
}

// inAnnotations: keys are symbols or ulongs, values any type
// [amqp-messaging 3.2.10]. Ulong keys are reserved, but they are legal bytes.
func inAnnotations() []Message {
	var out []Message
	for _, v := range values() {
		out = append(out, Message{Name: "message-annotation/" + v.name,
			Hex: messageAnnotations + map8(2, "a307782d6f70742d61"+v.hex) + oneByte})
	}
	return append(out,
		Message{Name: "message-annotation/wide-key", Hex: messageAnnotations + map8(2, "b300000007782d6f70742d61"+"41") + oneByte},
		Message{Name: "footer/string", Hex: oneByte + footer + map8(2, "a307782d6f70742d61"+"a10179")},
	)
}

// wholes are messages with everything in them.
func wholes() []Message {
	all13 := "98" + someUUID + // message-id
		"a00475736572" + // user-id
		"a102746f" + // to
		"a1077375626a656374" + // subject
		"a1057265706c79" + // reply-to
		"a106636f7272656c" + // correlation-id
		"a30a746578742f706c61696e" + // content-type
		"a304677a6970" + // content-encoding
		"83000009c2c0a4b400" + // absolute-expiry-time: in the year 2310
		"830000018bcfe56800" + // creation-time
		"a10567726f7570" + // group-id
		"5207" + // group-sequence
		"a1027267" // reply-to-group-id
	annotations := messageAnnotations + map8(2, "a307782d6f70742d61"+"5401")
	app := applicationProperties + map8(4, "a1016b"+"a10176"+"a1016c"+"41")
	return []Message{
		{Name: "whole/all-properties", Hex: properties + list8(13, all13) + oneByte},
		{Name: "whole/empty-properties", Hex: properties + "45" + oneByte},
		{Name: "whole/wide-properties", Hex: properties + "d0" + "00000008" + "00000001" + "a1027879" + oneByte},
		{Name: "whole/empty-maps", Hex: messageAnnotations + "c10100" + properties + "45" + applicationProperties + "d10000000400000000" + oneByte},
		{Name: "whole/every-section", Hex: annotations + properties + list8(13, all13) + app + value + "a104626f6479" + footer + map8(2, "a307782d6f70742d66"+"42")},
		{Name: "whole/delivery-annotations", Hex: deliveryAnnotations + map8(2, "a307782d6f70742d64"+"41") + annotations + oneByte},
	}
}
