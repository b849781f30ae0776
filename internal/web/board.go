package web

// boardRoutes is the part of the table for the queue board.
func (s *Server) boardRoutes() []route {
	return []route{}
}
