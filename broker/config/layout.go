package config

import "path/filepath"

// JournalDir is where in a data directory the store is.
func JournalDir(data string) string { return filepath.Join(data, "journal") }
