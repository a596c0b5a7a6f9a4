package wire

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hexBare = hexProps + hexAppProp + hexData + hexFooter

func TestAppendPatched(t *testing.T) {
	for _, c := range []struct {
		name, in, head, rest string
		patch                Patch
	}{
		{"no header: one appears", hexBare, "00 53 70 c0 05 04 40 40 40 41", hexBare, Patch{FirstAcquirer: true}},
		{"what is not patched stays", hexHeader + hexBare, hexHeader, hexBare, Patch{}},
		{"delivery annotations go, message annotations stay", hexHeader + hexDA + hexMA + hexBare, hexHeader, hexMA + hexBare, Patch{}},
		{"delivery annotations without header", hexDA + hexBare, "00 53 70 45", hexBare, Patch{}},
		{"everything", hexHeader + hexBare, "00 53 70 c0 09 05 40 50 09 52 07 41 52 02", hexBare,
			Patch{Durable: Some(false), Priority: Some[uint8](9), TTL: Some[uint32](7), FirstAcquirer: true, FailedDeliveries: 2}},
		{"first-acquirer goes", "00 53 70 c0 05 04 40 40 40 41" + hexBare, "00 53 70 45", hexBare, Patch{}},
		{"delivery-count adds up", "00 53 70 c0 07 05 40 40 40 40 52 03" + hexBare, "00 53 70 c0 07 05 40 40 40 40 52 05", hexBare,
			Patch{FailedDeliveries: 2}},
		{"delivery-count does not wrap", "00 53 70 c0 0a 05 40 40 40 40 70 ff ff ff ff" + hexBare,
			"00 53 70 c0 0a 05 40 40 40 40 70 ff ff ff ff", hexBare, Patch{FailedDeliveries: 2}},
		{"nothing at all", "", "00 53 70 45", "", Patch{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := unhex(t, c.in)
			kept := append([]byte{}, msg...)
			head, rest, err := AppendPatched([]byte("frame"), msg, c.patch)
			require.NoError(t, err)
			require.Equal(t, append([]byte("frame"), unhex(t, c.head)...), head)
			require.Equal(t, unhex(t, c.rest), append([]byte{}, rest...))
			require.Equal(t, kept, msg, "the stored message is not touched")
			if len(rest) > 0 {
				require.Same(t, &msg[len(msg)-1], &rest[len(rest)-1], "the rest is not copied")
			}
		})
	}
}

func TestAppendPatchedAnnotated(t *testing.T) {
	extra := Raw(AppendAny(nil, Map{{Symbol("x"), uint32(1)}}))
	merged := "00 53 72 c1 0a 04 a3 01 6d 43 a3 01 78 52 01"
	alone := "00 53 72 c1 06 02 a3 01 78 52 01"
	for in, want := range map[string]string{
		hexHeader + hexDA + hexMA + hexBare: hexHeader + merged,
		hexMA + hexBare:                     "00 53 70 45" + merged,
		hexBare:                             "00 53 70 45" + alone,
		hexDA + hexBare:                     "00 53 70 45" + alone,
	} {
		head, rest, err := AppendPatchedAnnotated(nil, unhex(t, in), Patch{}, extra)
		require.NoError(t, err)
		require.Equal(t, unhex(t, want), head)
		require.Equal(t, unhex(t, hexBare), append([]byte{}, rest...))
		_, err = ScanMessage(append(head, rest...))
		require.NoError(t, err)
	}
}

// TestMergeAnnotations: [amqp-messaging 3.4.5] an entry with the same key
// replaces, one with a new key is added.
func TestMergeAnnotations(t *testing.T) {
	a, b := Symbol("a"), Symbol("b")
	for _, c := range []struct {
		name        string
		base, extra Map
		want        Map
	}{
		{"nothing", nil, nil, Map{}},
		{"only base", Map{{a, "1"}}, nil, Map{{a, "1"}}},
		{"only extra", nil, Map{{a, "1"}}, Map{{a, "1"}}},
		{"replaces in place", Map{{a, "1"}, {b, "2"}}, Map{{a, uint32(3)}}, Map{{a, uint32(3)}, {b, "2"}}},
		{"adds behind", Map{{b, "2"}}, Map{{a, "1"}, {b, "3"}}, Map{{b, "3"}, {a, "1"}}},
		{"the last of equal keys counts", nil, Map{{a, "1"}, {a, "2"}}, Map{{a, "2"}}},
		{"ulong keys", Map{{uint64(7), "1"}}, Map{{uint64(7), "2"}, {Symbol("7"), "3"}}, Map{{uint64(7), "2"}, {Symbol("7"), "3"}}},
		{"other keys", Map{{List{a}, "1"}}, Map{{List{a}, "2"}}, Map{{List{a}, "2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var base, extra Raw
			if c.base != nil {
				base = AppendAny(nil, c.base)
			}
			if c.extra != nil {
				extra = AppendAny(nil, c.extra)
			}
			got, err := MergeAnnotations(nil, base, extra)
			require.NoError(t, err)
			require.Equal(t, AppendAny(nil, c.want), got)
		})
	}
}

// TestMergeEqualKeys: keys are equal by value, not by encoding.
func TestMergeEqualKeys(t *testing.T) {
	base := unhex(t, "d1 0000000b 00000002 b3 00000001 61 43")
	extra := unhex(t, "c1 05 02 a3 01 61 44")
	got, err := MergeAnnotations(nil, base, extra)
	require.NoError(t, err)
	require.Equal(t, extra, got)
	got, err = MergeAnnotations(nil, []byte{codeNull}, []byte{codeNull})
	require.NoError(t, err)
	require.Equal(t, unhex(t, "c1 01 00"), got)
}

// TestMergeMany: the result may need the wide form, and takes linear time.
func TestMergeMany(t *testing.T) {
	var base, extra, want Map
	for i := range 3000 {
		key := Symbol(strings.Repeat("k", 1+i%50) + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)))
		base = append(base, Pair{key, uint32(0)})
		extra = append(extra, Pair{key, uint32(1)})
		want = append(want, Pair{key, uint32(1)})
	}
	got, err := MergeAnnotations(nil, AppendAny(nil, base), AppendAny(nil, extra))
	require.NoError(t, err)
	require.Equal(t, AppendAny(nil, want), got)
}

func TestMergeErrors(t *testing.T) {
	for _, bad := range []string{"45", "c1 03 02 a3 05", "c1 04 02 43 43 43"} {
		_, err := MergeAnnotations(nil, unhex(t, bad), nil)
		require.ErrorContains(t, err, "message.message-annotations", bad)
		_, err = MergeAnnotations(nil, nil, unhex(t, bad))
		require.ErrorContains(t, err, "message.message-annotations", bad)
	}
}

// TestPatchErrors: what a scan would have refused is refused here as well, with
// the output as it was.
func TestPatchErrors(t *testing.T) {
	for bad, want := range map[string]string{
		"00 53 70 c0 06 03 40 40 a1 01 61":    "header.ttl",
		hexHeader + "00 53 71 c1 05 02":       "message.delivery-annotations",
		hexHeader + "00 53 72 c1 05 02":       "message.message-annotations",
		hexHeader + "00 53 72 c1 03 02 a3 05": "message.message-annotations",
	} {
		head, rest, err := AppendPatchedAnnotated([]byte("out"), unhex(t, bad), Patch{}, nil)
		require.ErrorContains(t, err, want)
		require.Equal(t, "out", string(head))
		require.Nil(t, rest)
	}
}

// What is told to remain is never more than there was.
func TestPatchTTL(t *testing.T) {
	for _, c := range []struct {
		came           Opt[uint32]
		min, says, got uint32
	}{
		{Some[uint32](50), 0, 30, 30},
		{Some[uint32](50), 0, 51, 50},      // a clock was ahead when the message came
		{Some[uint32](50), 1000, 900, 900}, // the queue keeps everything for a second
		{Some[uint32](50), 1000, 1001, 1000},
		{Opt[uint32]{}, 0, 51, 51}, // by the queue's policy
	} {
		h := Header{TTL: c.came}
		(&Patch{TTL: Some(c.says), MinTTL: c.min}).apply(&h)
		require.Equal(t, Some(c.got), h.TTL, c)
	}
}
