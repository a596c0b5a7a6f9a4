package config

import "runtime/debug"

// Version is what the binary was built from: the module's version, which the
// Go tool derives from the tag or commit of the checkout.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel" // built without a checkout
	}
	return info.Main.Version
}
