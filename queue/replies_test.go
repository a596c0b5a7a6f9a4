package queue

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var goldenReplies = []Reply{
	{Kind: KindEnqueue, Queue: 7, Seq: 300},
	{Kind: KindDeclare, Status: Exists, Queue: 1},
	{Kind: KindPurge, Queue: 7, Seq: 2, Next: 5, Removed: 3, Bytes: 1000},
}

const goldenRepliesBytes = `01 03
01 00 07 ac02 00 00 00
04 02 01 00 00 00 00
07 00 07 02 05 03 e807`

func TestRepliesGolden(t *testing.T) {
	want := unhex(t, goldenRepliesBytes)
	require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(AppendReplies(nil, goldenReplies)))
	got, err := ReadReplies(want)
	require.NoError(t, err)
	require.Equal(t, goldenReplies, got)
	for n := range want {
		_, err := ReadReplies(want[:n])
		require.ErrorAs(t, err, new(*FormatError), "cut at %d", n)
	}
	_, err = ReadReplies(append(slices.Clone(want), 0))
	require.ErrorContains(t, err, "1 bytes too many")
	_, err = ReadReplies(append([]byte{2}, want[1:]...))
	require.ErrorContains(t, err, "unknown version 2")
	_, err = ReadReplies([]byte{1, 0xff, 0xff, 0xff, 0x7f})
	require.ErrorContains(t, err, "do not fit", "nothing is allocated by a number alone")
}

func TestRepliesRoundTrip(t *testing.T) {
	number := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64())
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Reply {
			return Reply{
				Kind: Kind(rapid.Byte().Draw(t, "kind")), Status: Status(rapid.Byte().Draw(t, "status")),
				Queue: ID(rapid.Uint32().Draw(t, "queue")), Seq: Seq(number.Draw(t, "seq")), Next: Seq(number.Draw(t, "next")),
				Removed: number.Draw(t, "removed"), Bytes: number.Draw(t, "bytes"),
			}
		})).Draw(t, "replies")
		got, err := ReadReplies(AppendReplies(nil, want))
		require.NoError(t, err)
		require.Equal(t, want, append([]Reply{}, got...))
	})
}

// FuzzReplies: any bytes are refused, or are replies that can be sent on.
func FuzzReplies(f *testing.F) {
	f.Add(unhex(f, goldenRepliesBytes))
	f.Fuzz(func(t *testing.T, p []byte) {
		replies, err := ReadReplies(p)
		if err != nil {
			require.ErrorAs(t, err, new(*FormatError))
			return
		}
		again, err := ReadReplies(AppendReplies(nil, replies))
		require.NoError(t, err)
		require.Equal(t, replies, again)
	})
}
