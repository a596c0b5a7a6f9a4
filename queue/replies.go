package queue

import "encoding/binary"

// Replies as one node sends them to another: the answers to a forwarded pack,
// one for each of its records.
//
//	version u8 = 1 | n uv |
//	n * (kind u8, status u8, queue uv, seq uv, next uv, removed uv, bytes uv)
const (
	repliesVersion = 1
	replyMinLen    = 7
)

// AppendReplies appends the wire form of replies to b.
func AppendReplies(b []byte, replies []Reply) []byte {
	b = append(b, repliesVersion)
	b = binary.AppendUvarint(b, uint64(len(replies)))
	for i := range replies {
		r := &replies[i]
		b = append(b, byte(r.Kind), byte(r.Status))
		for _, v := range [...]uint64{uint64(r.Queue), uint64(r.Seq), uint64(r.Next), r.Removed, r.Bytes} {
			b = binary.AppendUvarint(b, v)
		}
	}
	return b
}

// ReadReplies reads what AppendReplies wrote. Kinds and statuses that this
// version does not know are passed on. The error is a *FormatError.
func ReadReplies(p []byte) ([]Reply, error) {
	d := decoder{p: p, what: "replies"}
	if v := d.u8("version"); v != repliesVersion {
		d.fail("unknown version %d", v)
	}
	n := d.uvarint("count")
	if n > uint64(len(p)/replyMinLen) {
		d.fail("%d of them do not fit into %d bytes", n, len(p))
		n = 0
	}
	replies := make([]Reply, 0, n)
	for ; n > 0 && d.err == nil; n-- {
		r := Reply{Kind: Kind(d.u8("kind")), Status: Status(d.u8("status"))}
		r.Queue = ID(d.uvarint32("queue"))
		r.Seq, r.Next = Seq(d.uvarint("seq")), Seq(d.uvarint("next"))
		r.Removed, r.Bytes = d.uvarint("removed"), d.uvarint("bytes")
		replies = append(replies, r)
	}
	if err := d.done(); err != nil {
		return nil, err
	}
	return replies, nil
}
