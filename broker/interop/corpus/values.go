package corpus

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// encoded is a value with its constructor, in hexadecimal.
type encoded struct{ name, hex string }

const someUUID = "00112233445566778899aabbccddeeff"

// values has every constructor of [amqp-types 1.6], with the bounds of its
// range where it has some, and what compound types can be made of.
func values() []encoded {
	return slices.Concat(fixed(), variable(), compound())
}

// simple: not a list, a map, an array or described.
func (e *encoded) simple() bool {
	return !slices.ContainsFunc(compound(), func(c encoded) bool { return c.name == e.name })
}

func fixed() []encoded {
	return []encoded{
		{"null", "40"},
		{"true", "41"}, {"false", "42"}, {"boolean-true", "5601"}, {"boolean-false", "5600"},
		{"ubyte", "50ff"}, {"ushort", "60fffe"},
		{"uint", "70fffffffe"}, {"uint-small", "52ff"}, {"uint-0", "43"}, {"uint-wide", "7000000001"},
		{"ulong", "80fffffffffffffffe"}, {"ulong-small", "53ff"}, {"ulong-0", "44"}, {"ulong-wide", "800000000000000001"},
		{"byte", "5180"}, {"short", "618000"},
		{"int", "7180000000"}, {"int-small", "5480"}, {"int-wide", "7100000001"},
		{"long", "818000000000000000"}, {"long-small", "5580"}, {"long-wide", "810000000000000001"},
		{"float", "7240490fdb"}, {"float-nan", "727fc00001"}, {"float-minus-0", "7280000000"},
		{"double", "82400921fb54442d18"}, {"double-infinity", "82fff0000000000000"},
		{"decimal32", "7432800001"}, {"decimal64", "8431c0000000000001"}, {"decimal128", "9430400000000000000000000000000001"},
		{"char", "730001f600"},
		{"timestamp", "830000018bcfe56800"}, {"timestamp-before-1970", "83ffffffffffffffff"},
		{"uuid", "98" + someUUID},
	}
}

func variable() []encoded {
	return []encoded{
		{"binary", "a00400ff80fe"}, {"binary-empty", "a000"}, {"binary-wide", "b00000000101"},
		{"string", "a107c3bc20f09f9880"}, {"string-empty", "a100"}, {"string-wide", "b10000000161"},
		{"symbol", "a305782d666f6f"}, {"symbol-empty", "a300"}, {"symbol-wide", "b30000000161"},
	}
}

func compound() []encoded {
	return []encoded{
		{"list-0", "45"}, {"list-empty", "c00100"}, {"list", list8(3, "5401"+"a10161"+"40")},
		{"list-wide", "d0" + "00000006" + "00000001" + "5401"},
		{"list-nested", list8(2, list8(1, list8(1, "45"))+map8(2, "5401"+"45"))},
		{"map-empty", "c10100"}, {"map", map8(4, "a10161"+"5401"+"a10162"+"a10163")},
		{"map-wide", "d1" + "00000008" + "00000002" + "5401" + "5402"},
		{"map-odd-keys", map8(6, "5401"+"41"+"98"+someUUID+"42"+"a30173"+"40")},
		{"array-int", "e0" + "0a" + "02" + "71" + "00000001" + "fffffffe"},
		{"array-empty", "e0" + "02" + "00" + "71"},
		{"array-symbol", "e0" + "06" + "02" + "a3" + "0161" + "0162"},
		{"array-wide", "f0" + "00000009" + "00000002" + "60" + "0001" + "ffff"},
		{"array-boolean", "e0" + "04" + "02" + "56" + "01" + "00"},
		{"array-uint-0", "e0" + "02" + "03" + "43"},
		{"array-lists", "e0" + "06" + "02" + "c0" + "0100" + "0100"},
		{"array-described", "e0" + "07" + "02" + "0053" + "2a" + "50" + "01" + "02"},
		{"described-symbol", "00" + "a303782d79" + "a10176"},
		{"described-ulong", "00" + "800000beef00000001" + list8(1, "5401")},
		{"described-twice", "00" + "5301" + "00" + "a30178" + "40"},
		{"described-by-described", "00" + "00" + "5301" + "5302" + "41"},
	}
}

// list8 encodes a list of count items with one-byte size and count.
func list8(count int, items string) string { return compound8("c0", count, items) }

// map8 encodes a map; count is keys and values together [amqp-types 1.6.23].
func map8(count int, items string) string { return compound8("c1", count, items) }

func compound8(constructor string, count int, items string) string {
	size := hex.DecodedLen(len(items)) + 1
	if size > 255 {
		panic("corpus: too long for a compound of one-byte size")
	}
	return fmt.Sprintf("%s%02x%02x%s", constructor, size, count, items)
}
