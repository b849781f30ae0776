package web

// peopleRoutes is the part of the table for finding people, lending one's own settings, and the directory.
func (s *Server) peopleRoutes() []route {
	return []route{}
}
