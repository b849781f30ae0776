package web

// deviceRoutes is the part of the table for phones of others.
func (s *Server) deviceRoutes() []route {
	return []route{}
}
