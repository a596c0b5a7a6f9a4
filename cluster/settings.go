package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"entrepot/journal"
)

// The cluster's settings are records of shard 0, so that every member has them and
// a majority must agree to change them:
//
//	cluster      {"v": 1, ...}  the charter
//	node/<id>    {"v": 1, ...}  a member, see below. Kept when it is removed: an id
//	                            belongs to one data directory for ever
//	level        "2"            the newest level of records that may be written
//
// Values are JSON, for people who read a dump; unknown fields are kept out, so a
// release that adds one raises v when an older one must not lose it.
const (
	settingCluster = "cluster"
	settingLevel   = "level"
	settingNode    = "node/"

	settingVersion = 1
)

// member is one node/<id>.
type member struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	Data    string `json:"data"`    // "": it has not come yet
	Address string `json:"address"` // where others reach it
	State   string `json:"state"`
	Level   uint32 `json:"level"` // what it knows; 0: not said yet
	// Drained is the incarnation that leads nothing, hexadecimal; the next one is
	// itself again. "": none.
	Drained string `json:"drained,omitempty"`
}

// The words of member.State.
const (
	memberVoter    = "member"
	memberJoining  = "joining"  // Add has begun
	memberRemoving = "removing" // Remove has begun
	memberRemoved  = "removed"
)

// active: it is, or is to be, one of the cluster.
func (m member) active() bool { return m.ID != "" && m.State != memberRemoved }

func (m member) drained(incarnation uint64) bool {
	return m.Drained != "" && m.Drained == formatIncarnation(incarnation)
}

func formatIncarnation(i uint64) string { return strconv.FormatUint(i, 16) }

// view is the settings at one moment. It is not changed once made.
type view struct {
	charter *charter // nil: not recorded yet
	level   uint32   // 0: not recorded yet
	members map[string]member
}

type clusterSetting struct {
	Version int `json:"v"`
	charter
}

// readView reads the settings.
func readView(s *journal.Shard) (view, error) {
	v := view{members: map[string]member{}}
	var failed error
	s.EachSetting(func(key string, value []byte) bool {
		failed = v.read(key, value)
		return failed == nil
	})
	return v, failed
}

func (v *view) read(key string, value []byte) error {
	switch {
	case key == settingCluster:
		var c clusterSetting
		if err := json.Unmarshal(value, &c); err != nil || c.Version != settingVersion {
			return fmt.Errorf("cluster: setting %q: version %d: %v", key, c.Version, err)
		}
		v.charter = &c.charter
	case key == settingLevel:
		level, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil {
			return fmt.Errorf("cluster: setting %q: %w", key, err)
		}
		v.level = uint32(level)
	case strings.HasPrefix(key, settingNode):
		var m member
		if err := json.Unmarshal(value, &m); err != nil || m.Version != settingVersion {
			return fmt.Errorf("cluster: setting %q: version %d: %v", key, m.Version, err)
		}
		v.members[m.ID] = m
	}
	return nil
}

// active are the ids of the members, sorted.
func (v *view) active() []string {
	var ids []string
	for id, m := range v.members {
		if m.active() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// setting is one change.
type setting struct {
	key   string
	value []byte
}

func memberSetting(m member) setting {
	m.Version = settingVersion
	b, _ := json.Marshal(m) // strings and numbers
	return setting{settingNode + m.ID, b}
}

func charterSetting(c *charter) setting {
	b, _ := json.Marshal(clusterSetting{settingVersion, *c})
	return setting{settingCluster, b}
}

func levelSetting(level uint32) setting {
	return setting{settingLevel, strconv.AppendUint(nil, uint64(level), 10)}
}
