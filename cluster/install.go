package cluster

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/hashicorp/raft"

	"entrepot/cluster/mesh"
)

// A snapshot on its way: a stream of the mesh, whose head is the header of messages
// (hub.go) and
//
//	term u64 | last index u64 | last term u64 | configuration index u64 | configuration
//	(msgpack of raft.EncodeConfiguration)
//
// and whose answer is term u64 | success u8.
const installLen = headerLen + 4*8

// InstallSnapshot feeds a peer with a stream from snapStore.Open.
func (t *transport) InstallSnapshot(id raft.ServerID, _ raft.ServerAddress, r *raft.InstallSnapshotRequest, a *raft.InstallSnapshotResponse, data io.Reader) error {
	head := appendHeader(nil, kindSnapshot, t.shard)
	for _, n := range []uint64{r.Term, r.LastLogIndex, r.LastLogTerm, r.ConfigurationIndex} {
		head = binary.BigEndian.AppendUint64(head, n)
	}
	head = append(head, r.Configuration...)
	progress, end := t.followers.stream(string(id), r.Term, r.LastLogIndex, r.Size)
	answer, err := t.hub.mesh.Stream(t.ctx, string(id), methodSnapshot, head, r.Size, &countingReader{data, progress})
	if err == nil && len(answer) != snapshotAnswLen {
		err = errShort
	}
	if err != nil {
		end(false)
		return err
	}
	a.RPCHeader = peerHeader(string(id))
	a.Term, a.Success = binary.BigEndian.Uint64(answer), answer[8] != 0
	end(a.Success)
	if a.Success {
		t.followers.sent.Add(1)
	}
	return nil
}

type countingReader struct {
	r    io.Reader
	tell func(n int)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.tell(n)
	return n, err
}

// install gives a stream to our Raft, whose main loop reads it; heartbeats go beside
// it meanwhile. When the connection or the group ends, r fails and so does Raft's
// attempt.
func (t *transport) install(ctx context.Context, from mesh.Peer, head []byte, size int64, r io.Reader) ([]byte, error) {
	if len(head) < installLen {
		return nil, errShort
	}
	d := decoder{p: head, at: headerLen}
	req := &raft.InstallSnapshotRequest{
		RPCHeader: peerHeader(from.ID), Leader: []byte(from.ID), SnapshotVersion: raft.SnapshotVersionMax,
		Term: d.u64(), LastLogIndex: d.u64(), LastLogTerm: d.u64(), ConfigurationIndex: d.u64(),
		Configuration: head[installLen:], Size: size,
	}
	if _, err := decodeConfiguration(req.Configuration); err != nil {
		return nil, err
	}
	answer := make(chan raft.RPCResponse, 1)
	select {
	case t.consumer <- raft.RPC{Command: req, Reader: r, RespChan: answer}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.ctx.Done():
		return nil, errClosed
	}
	select {
	case a := <-answer:
		if a.Error != nil {
			return nil, a.Error
		}
		resp := a.Response.(*raft.InstallSnapshotResponse)
		return append(binary.BigEndian.AppendUint64(nil, resp.Term), flag(resp.Success, 1)), nil
	case <-ctx.Done():
	case <-t.ctx.Done():
	}
	return nil, errClosed // which makes r fail, and so Raft's main loop go on
}
