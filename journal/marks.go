package journal

// Marks are a shard's small named values (the snapshot mark, for one). Every
// Set is synced. Names are 1..64 bytes.
type Marks struct{}

// Set stores a value.
func (m *Marks) Set(name string, val []byte) error { panic("unimplemented") }

// Get returns a value, ErrNotFound if there is none.
func (m *Marks) Get(name string) ([]byte, error) { panic("unimplemented") }

// Delete removes a value; removing what is not there is no error.
func (m *Marks) Delete(name string) error { panic("unimplemented") }
