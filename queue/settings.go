package queue

import (
	"slices"
	"strings"
)

// Bounds of a setting, in bytes. All settings are part of one row that every
// spill writes: they are for a cluster's members and levels, not for data.
const (
	MaxSettingKey   = 255
	MaxSettingValue = 64 << 10
)

// settings are replicated values of the cluster, in the order of keys.
type settings []setting

type setting struct {
	key   string
	value []byte // never changed, only replaced
}

func (s settings) find(key string) (int, bool) {
	return slices.BinarySearchFunc(s, key, func(x setting, key string) int { return strings.Compare(x.key, key) })
}

// set copies what it keeps; an empty value deletes.
func (s *settings) set(key, value []byte) {
	i, found := s.find(string(key))
	switch {
	case len(value) == 0 && found:
		*s = slices.Delete(*s, i, i+1)
	case len(value) == 0:
	case found:
		(*s)[i].value = slices.Clone(value)
	default:
		*s = slices.Insert(*s, i, setting{string(key), slices.Clone(value)})
	}
}

// Setting is the value of a setting, nil if there is none. It must not be
// changed.
func (m *Machine) Setting(key string) []byte {
	if i, found := m.settings.find(key); found {
		return m.settings[i].value
	}
	return nil
}

// EachSetting calls f for each setting in the order of keys until it says
// false. The values must not be changed.
func (m *Machine) EachSetting(f func(key string, value []byte) bool) {
	for _, s := range m.settings {
		if !f(s.key, s.value) {
			return
		}
	}
}
