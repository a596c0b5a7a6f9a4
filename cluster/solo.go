package cluster

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"
)

// errNoPeers: a single voter has nobody to talk to.
var errNoPeers = errors.New("cluster: this group has one voter and no peers")

// soloTransport is the Transport of a single voter. It reaches nobody; what it
// can do is deliver the one message that makes Raft elect itself at once.
type soloTransport struct {
	id       raft.ServerAddress
	consumer chan raft.RPC
}

func newSoloTransport(id raft.ServerID) *soloTransport {
	return &soloTransport{id: raft.ServerAddress(id), consumer: make(chan raft.RPC, 1)}
}

// electNow makes the Raft that consumes from c stand for election now instead
// of after its heartbeat timeout: the message a leader sends to whom it hands
// over to. For a single voter nothing else is to be waited for, and so its
// timeouts can be those that it needs once it has peers (the lease can't be
// changed while Raft runs).
func electNow(c chan<- raft.RPC) {
	answer := make(chan raft.RPCResponse, 1)
	c <- raft.RPC{
		Command:  &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}},
		RespChan: answer,
	}
}

func (t *soloTransport) Consumer() <-chan raft.RPC            { return t.consumer }
func (t *soloTransport) LocalAddr() raft.ServerAddress        { return t.id }
func (t *soloTransport) SetHeartbeatHandler(func(r raft.RPC)) {}

func (t *soloTransport) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte { return []byte(a) }
func (t *soloTransport) DecodePeer(p []byte) raft.ServerAddress                  { return raft.ServerAddress(p) }

func (t *soloTransport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, errNoPeers
}

func (t *soloTransport) AppendEntries(raft.ServerID, raft.ServerAddress, *raft.AppendEntriesRequest, *raft.AppendEntriesResponse) error {
	return errNoPeers
}

func (t *soloTransport) RequestVote(raft.ServerID, raft.ServerAddress, *raft.RequestVoteRequest, *raft.RequestVoteResponse) error {
	return errNoPeers
}

func (t *soloTransport) RequestPreVote(raft.ServerID, raft.ServerAddress, *raft.RequestPreVoteRequest, *raft.RequestPreVoteResponse) error {
	return errNoPeers
}

func (t *soloTransport) InstallSnapshot(raft.ServerID, raft.ServerAddress, *raft.InstallSnapshotRequest, *raft.InstallSnapshotResponse, io.Reader) error {
	return errNoPeers
}

func (t *soloTransport) TimeoutNow(raft.ServerID, raft.ServerAddress, *raft.TimeoutNowRequest, *raft.TimeoutNowResponse) error {
	return errNoPeers
}
