package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"entrepot/queue"
)

// What nodes say to each other: these bytes, and nothing that is cut off is taken.
func TestMessagesBetweenNodes(t *testing.T) {
	request := &raft.AppendEntriesRequest{
		RPCHeader: peerHeader("n1"), Term: 2, PrevLogEntry: 3, PrevLogTerm: 1, LeaderCommitIndex: 3,
		Entries: []*raft.Log{
			{Index: 4, Term: 2, Type: raft.LogCommand, Data: []byte("data"), AppendedAt: time.UnixMilli(5)},
			{Index: 5, Term: 2, Type: raft.LogNoop, Extensions: []byte("x")},
		},
	}
	msg := slices.Concat(appendParts(7, 9, 1000, request)...)
	require.Equal(t, []byte("\x01\x03\x00\x07"+"\x00\x00\x00\x00\x00\x00\x00\x09"+
		"\x00\x00\x00\x00\x00\x00\x00\x02"+"\x00\x00\x00\x00\x00\x00\x00\x03"+"\x00\x00\x00\x00\x00\x00\x00\x01"+
		"\x00\x00\x00\x00\x00\x00\x00\x03"+"\x00\x00\x00\x02"+
		"\x00\x00\x00\x00\x00\x00\x00\x04"+"\x00\x00\x00\x00\x00\x00\x00\x02"+"\x00"+"\x00\x00\x00\x00\x00\x00\x00\x05"+
		"\x00\x00\x00\x00"+"\x00\x00\x00\x04"+"data"+
		"\x00\x00\x00\x00\x00\x00\x00\x05"+"\x00\x00\x00\x00\x00\x00\x00\x02"+"\x01"+"\x00\x00\x00\x00\x00\x00\x00\x00"+
		"\x00\x00\x00\x01"+"\x00\x00\x00\x00"+"x"+"\x00\x00\x00\x00\x00\x00\x03\xe8"), msg)
	got, now, err := readAppend("n1", msg)
	require.NoError(t, err)
	require.EqualValues(t, 1000, now)
	require.Equal(t, request.Entries[0].Data, got.Entries[0].Data)
	require.Equal(t, request.Entries[1].Extensions, got.Entries[1].Extensions)
	got.Entries, request.Entries = nil, nil
	require.Equal(t, request, got)
	cutOff(t, msg, callLen, func(p []byte) error { _, _, err := readAppend("n1", p); return err })

	a := answer{epoch: 1, origin: queue.Origin{Node: 2, Seq: 3}, status: answerFresh, index: 4, nowMillis: 5,
		replies: []queue.Reply{{Kind: queue.KindDeclare, Queue: 6}}}
	msg = appendAnswer(nil, 7, &a)
	require.Equal(t, []byte("\x01\x02\x00\x07"+"\x00\x00\x00\x00\x00\x00\x00\x01"+"\x00\x00\x00\x00\x00\x00\x00\x02"+
		"\x00\x00\x00\x00\x00\x00\x00\x03"+"\x01"+"\x00\x00\x00\x00\x00\x00\x00\x04"+"\x00\x00\x00\x00\x00\x00\x00\x05"), msg[:answerLen])
	back, err := readAnswer(msg)
	require.NoError(t, err)
	require.Equal(t, a, back)
	cutOff(t, msg[:answerLen], 0, func(p []byte) error { _, err := readAnswer(p); return err })

	msg = appendVote(appendCall(nil, kindVote, 7, 9), 1, 2, 3, true)
	vote, err := readVote("n1", msg)
	require.NoError(t, err)
	require.Equal(t, &raft.RequestVoteRequest{RPCHeader: peerHeader("n1"),
		Term: 1, LastLogIndex: 2, LastLogTerm: 3, LeadershipTransfer: true}, vote)
	cutOff(t, msg, callLen, func(p []byte) error { _, err := readVote("n1", p); return err })

	msg = appendAppended(appendCall(nil, kindAppended, 7, 9), &raft.AppendEntriesResponse{Term: 1, LastLog: 2, NoRetryBackoff: true})
	var resp raft.AppendEntriesResponse
	require.NoError(t, readAppended("n1", msg, &resp))
	require.Equal(t, raft.AppendEntriesResponse{RPCHeader: peerHeader("n1"), Term: 1, LastLog: 2, NoRetryBackoff: true}, resp)
	cutOff(t, msg, callLen, func(p []byte) error { return readAppended("n1", p, &resp) })
}

func cutOff(t *testing.T, msg []byte, from int, read func([]byte) error) {
	t.Helper()
	for n := from; n < len(msg); n++ {
		require.Error(t, read(msg[:n]), "%d of %d bytes", n, len(msg))
	}
}

func FuzzMessagesOfPeers(f *testing.F) {
	f.Add(slices.Concat(appendParts(0, 1, 0, &raft.AppendEntriesRequest{Entries: []*raft.Log{{Data: []byte("x")}}})...))
	f.Add(appendAnswer(nil, 0, &answer{}))
	f.Fuzz(func(_ *testing.T, p []byte) { // nothing panics, nothing large is made of little
		if len(p) >= callLen {
			_, _, _ = readAppend("n1", p)
			_, _ = readVote("n1", p)
			_, _, _ = readVoted(p)
		}
		_, _ = readAnswer(p)
	})
}

// Large entries go in several Appends, each of which follows the one before.
func TestLargeEntriesAreSentApart(t *testing.T) {
	large := make([]byte, appendMost/2)
	r := &raft.AppendEntriesRequest{Term: 5, PrevLogEntry: 10, PrevLogTerm: 4, LeaderCommitIndex: 9}
	for i := range uint64(6) {
		r.Entries = append(r.Entries, &raft.Log{Index: 11 + i, Term: 5, Data: large})
	}
	r.Entries[3].Data = make([]byte, 2*appendMost)
	var sizes []int
	prev := r.PrevLogEntry
	for n := fits(r.Entries); ; n = fits(r.Entries) {
		require.Equal(t, prev, r.PrevLogEntry)
		require.EqualValues(t, 9, r.LeaderCommitIndex)
		sizes = append(sizes, n)
		if n == len(r.Entries) {
			break
		}
		prev = r.Entries[n-1].Index
		r = behind(r, n)
	}
	require.Equal(t, []int{2, 1, 1, 2}, sizes)
	require.Zero(t, fits(nil))
}
