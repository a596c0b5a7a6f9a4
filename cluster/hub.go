package cluster

import (
	"entrepot/cluster/mesh"
)

// Channels of the mesh that this package uses, and those it reserves for others.
const (
	// ChanUrgent: heartbeats, votes, and the answers to all that is asked.
	ChanUrgent mesh.Channel = 1
	// ChanAppend: log entries from leaders to followers.
	ChanAppend mesh.Channel = 2
	// ChanPacks: packs on their way to a leader.
	ChanPacks mesh.Channel = 3
	// ChanDispatch and ChanDispatchUrgent are the broker's.
	ChanDispatch       mesh.Channel = 16
	ChanDispatchUrgent mesh.Channel = 17
)

// UrgentChannels is for mesh.Config.Urgent.
func UrgentChannels() []mesh.Channel { return []mesh.Channel{ChanUrgent, ChanDispatchUrgent} }

// Hub gives each message of a mesh to the group of its shard. There is one per mesh.
type Hub struct {
	mesh *mesh.Mesh
}

// NewHub registers with the mesh. REQUIRES: before the mesh's Start.
func NewHub(m *mesh.Mesh) *Hub { return &Hub{mesh: m} }
