package web

// grantingRoutes is the part of the table for the pages Access and Policy.
func (s *Server) grantingRoutes() []route {
	return []route{}
}
