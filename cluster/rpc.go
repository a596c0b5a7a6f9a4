package cluster

import (
	"encoding/binary"
	"time"

	"github.com/hashicorp/raft"
)

// What Raft asks over the mesh. A question is the header of messages (hub.go), the
// number of the call, and:
//
//	Append      term u64 | prev index u64 | prev term u64 | commit u64 | n u32 | n * entry |
//	            the leader's time i64 ms
//	entry       index u64 | term u64 | type u8 | appended at i64 ms | extensions length u32 |
//	            data length u32 | extensions | data
//	Vote        term u64 | last index u64 | last term u64 | transfer u8
//	PreVote     term u64 | last index u64 | last term u64 | 0
//	TimeoutNow  nothing
//
// An answer is the header, the number of the call, and:
//
//	Appended    term u64 | last index u64 | flags u8: 1 success, 2 no back-off
//	Voted, PreVoted   term u64 | granted u8
//	TimedOut, Refused nothing
//
// Who asks is the peer of the connection; its id is also its Raft address.
const (
	callLen      = headerLen + 8
	appendLen    = callLen + 4*8 + 4 + 8
	entryHeadLen = 8 + 8 + 1 + 8 + 4 + 4
	voteLen      = callLen + 3*8 + 1
	appendedLen  = callLen + 2*8 + 1
	votedLen     = callLen + 8 + 1
)

func appendCall(b []byte, k kind, shard uint16, id uint64) []byte {
	return binary.BigEndian.AppendUint64(appendHeader(b, k, shard), id)
}

// appendParts is an Append as parts for the mesh: the entries' data stay where they
// are.
func appendParts(shard uint16, id uint64, nowMillis int64, r *raft.AppendEntriesRequest) [][]byte {
	head := make([]byte, 0, appendLen+len(r.Entries)*entryHeadLen)
	head = appendCall(head, kindAppend, shard, id)
	for _, n := range []uint64{r.Term, r.PrevLogEntry, r.PrevLogTerm, r.LeaderCommitIndex} {
		head = binary.BigEndian.AppendUint64(head, n)
	}
	head = binary.BigEndian.AppendUint32(head, uint32(len(r.Entries)))
	parts := make([][]byte, 0, 1+2*len(r.Entries))
	start := 0
	for _, e := range r.Entries {
		head = binary.BigEndian.AppendUint64(head, e.Index)
		head = binary.BigEndian.AppendUint64(head, e.Term)
		head = append(head, byte(e.Type))
		head = binary.BigEndian.AppendUint64(head, uint64(appendedAtMillis(e)))
		head = binary.BigEndian.AppendUint32(head, uint32(len(e.Extensions)))
		head = binary.BigEndian.AppendUint32(head, uint32(len(e.Data)))
		parts = append(parts, head[start:len(head):len(head)])
		start = len(head)
		if len(e.Extensions) > 0 {
			parts = append(parts, e.Extensions)
		}
		if len(e.Data) > 0 {
			parts = append(parts, e.Data)
		}
	}
	head = binary.BigEndian.AppendUint64(head, uint64(nowMillis))
	return append(parts, head[start:])
}

// appendMost is about the most data of one Append. Raft counts entries only, and 32 of
// the largest messages would be more than the mesh carries.
const appendMost = 16 << 20

// fits is how many of the entries go into one Append: at least one, if there is one.
func fits(entries []*raft.Log) (n int) {
	size := 0
	for n < len(entries) && (n == 0 || size+len(entries[n].Data) <= appendMost) {
		size += len(entries[n].Data)
		n++
	}
	return n
}

// behind is the Append of the entries behind the first n.
func behind(r *raft.AppendEntriesRequest, n int) *raft.AppendEntriesRequest {
	rest := *r
	rest.PrevLogEntry, rest.PrevLogTerm = r.Entries[n-1].Index, r.Entries[n-1].Term
	rest.Entries = r.Entries[n:]
	return &rest
}

// peerHeader is what Raft wants to know of who asks.
func peerHeader(id string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(id)}
}

// readAppend decodes an Append; the entries alias msg.
func readAppend(from string, msg []byte) (r *raft.AppendEntriesRequest, nowMillis int64, err error) {
	d := decoder{p: msg, at: callLen}
	r = &raft.AppendEntriesRequest{
		RPCHeader: peerHeader(from), Term: d.u64(),
		PrevLogEntry: d.u64(), PrevLogTerm: d.u64(), LeaderCommitIndex: d.u64(),
	}
	n := int(d.u32())
	if n > len(msg)/entryHeadLen {
		return nil, 0, errShort
	}
	logs := make([]raft.Log, n)
	for i := range logs {
		l := &logs[i]
		l.Index, l.Term, l.Type = d.u64(), d.u64(), raft.LogType(d.u8())
		if ms := int64(d.u64()); ms != 0 {
			l.AppendedAt = time.UnixMilli(ms)
		}
		extensions, data := int(d.u32()), int(d.u32())
		l.Extensions, l.Data = d.bytes(extensions), d.bytes(data)
		r.Entries = append(r.Entries, l)
	}
	nowMillis = int64(d.u64())
	return r, nowMillis, d.err
}

// isHeartbeat: it asks for nothing that needs the log, so Raft may take it beside its
// main loop, which a slow disk may hold up.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return len(r.Entries) == 0 && r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && r.LeaderCommitIndex == 0
}

func appendAppended(b []byte, r *raft.AppendEntriesResponse) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Term)
	b = binary.BigEndian.AppendUint64(b, r.LastLog)
	return append(b, flag(r.Success, 1)|flag(r.NoRetryBackoff, 2))
}

func readAppended(from string, msg []byte, r *raft.AppendEntriesResponse) error {
	d := decoder{p: msg, at: callLen}
	*r = raft.AppendEntriesResponse{RPCHeader: peerHeader(from), Term: d.u64(), LastLog: d.u64()}
	flags := d.u8()
	r.Success, r.NoRetryBackoff = flags&1 != 0, flags&2 != 0
	return d.err
}

func appendVote(b []byte, term, lastIndex, lastTerm uint64, transfer bool) []byte {
	b = binary.BigEndian.AppendUint64(b, term)
	b = binary.BigEndian.AppendUint64(b, lastIndex)
	b = binary.BigEndian.AppendUint64(b, lastTerm)
	return append(b, flag(transfer, 1))
}

func readVote(from string, msg []byte) (*raft.RequestVoteRequest, error) {
	d := decoder{p: msg, at: callLen}
	r := &raft.RequestVoteRequest{
		RPCHeader: peerHeader(from),
		Term:      d.u64(), LastLogIndex: d.u64(), LastLogTerm: d.u64(), LeadershipTransfer: d.u8() != 0,
	}
	return r, d.err
}

func appendVoted(b []byte, term uint64, granted bool) []byte {
	return append(binary.BigEndian.AppendUint64(b, term), flag(granted, 1))
}

func readVoted(msg []byte) (term uint64, granted bool, err error) {
	d := decoder{p: msg, at: callLen}
	term, granted = d.u64(), d.u8() != 0
	return term, granted, d.err
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

// decoder reads big-endian numbers; after the end everything is zero and err is set.
type decoder struct {
	p   []byte
	at  int
	err error
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.p)-d.at {
		d.err, d.at = errShort, len(d.p)
		return nil
	}
	b := d.p[d.at : d.at+n : d.at+n]
	d.at += n
	return b
}

func (d *decoder) u8() uint8 {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
