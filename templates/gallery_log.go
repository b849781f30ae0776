package templates

// logStates are the gallery's states of the change log and sessions.
func logStates(_ Frame) []GalleryState {
	return nil
}
