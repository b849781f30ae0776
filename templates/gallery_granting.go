package templates

// grantingStates are the gallery's states of the pages Access and Policy.
func grantingStates(_ Frame) []GalleryState {
	return nil
}
