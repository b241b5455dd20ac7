package main

// etag is how the API writes a version.
func etag(version string) string { return `"` + version + `"` }
