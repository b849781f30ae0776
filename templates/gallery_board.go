package templates

// boardStates are the gallery's states of the queue board.
func boardStates(_ Frame) []GalleryState {
	return nil
}
