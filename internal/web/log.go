package web

// logRoutes is the part of the table for the change log and sessions.
func (s *Server) logRoutes() []route {
	return []route{}
}
