package templates

// peopleStates are the gallery's states of finding people, lending one's own settings, and the directory.
func peopleStates(_ Frame) []GalleryState {
	return nil
}
