package webexsim

import "fmt"

// place is a location of the organization, as a constant.
type place struct {
	name, country, state, city, street, postcode string
	zone, language                               string
	latitude, longitude                          any // string or number: Webex answers both
	culture                                      int
	weight                                       int // share of the people

	// Numbers come only from ranges that are reserved for fiction, or that the
	// national plan cannot assign: Germany 030 23125 and 089 99998 (BNetzA), Spain 990,
	// United Kingdom 020 7946 0 (Ofcom), France 01 99 00 (Arcep), United States
	// 555-01 (NANPA), Australia 02 5550 (ACMA); local numbers that begin with 0
	// exist neither in Tokyo nor in Bengaluru.
	prefix string // E.164 without the last digits
	digits int    // how many digits follow

	routingPrefix string
	cluster       string
	legacy        bool // ten digits without +1 in answers that are not promised to be E.164
}

// capacity is how many numbers the location has.
func (p *place) capacity() int {
	n := 1
	for range p.digits {
		n *= 10
	}
	return n
}

// reserved is where the numbers begin that are not for people's first numbers:
// one second number, some free ones, and from the end those of queues.
func (p *place) reserved() int { return p.capacity() * 9 / 10 }

// e164 is the n-th number of the location.
func (p *place) e164(n int) string {
	return fmt.Sprintf("%s%0*d", p.prefix, p.digits, n)
}

const (
	berlin = iota
	madrid
	london
	sanJose
	chicago
	tokyo
	bengaluru
	paris
	munich
	sydney
)

var places = []place{
	berlin:    {name: "Berlin", country: "DE", state: "BE", city: "Berlin", street: "Musterstraße 12", postcode: "10115", zone: "Europe/Berlin", language: "de_de", latitude: "52.5200", longitude: "13.4050", culture: german, weight: 24, prefix: "+493023125", digits: 3, routingPrefix: "8030", cluster: clusterEU},
	madrid:    {name: "Madrid", country: "ES", state: "M", city: "Madrid", street: "Calle de Ejemplo 8", postcode: "28013", zone: "Europe/Madrid", language: "es_es", latitude: 40.4168, longitude: -3.7038, culture: spanish, weight: 12, prefix: "+34990000", digits: 3, routingPrefix: "8034", cluster: clusterEU},
	london:    {name: "London", country: "GB", state: "", city: "London", street: "1 Sample Street", postcode: "EC1A 1BB", zone: "Europe/London", language: "en_gb", latitude: "51.5072", longitude: "-0.1276", culture: british, weight: 14, prefix: "+442079460", digits: 3, routingPrefix: "8044", cluster: clusterUS},
	sanJose:   {name: "San Jose", country: "US", state: "CA", city: "San Jose", street: "100 Example Avenue", postcode: "95134", zone: "America/Los_Angeles", language: "en_us", latitude: 37.4089, longitude: -121.9537, culture: american, weight: 14, prefix: "+140855501", digits: 2, routingPrefix: "8408", cluster: clusterUS, legacy: true},
	chicago:   {name: "Chicago", country: "US", state: "IL", city: "Chicago", street: "200 Sample Plaza, Suite 456", postcode: "60606", zone: "America/Chicago", language: "en_us", latitude: "41.8781", longitude: "-87.6298", culture: american, weight: 10, prefix: "+131255501", digits: 2, routingPrefix: "8312", cluster: clusterUS},
	tokyo:     {name: "Tokyo", country: "JP", state: "13", city: "Tokyo", street: "1-2-3 Rei", postcode: "100-0001", zone: "Asia/Tokyo", language: "ja_jp", latitude: 35.6762, longitude: 139.6503, culture: japanese, weight: 8, prefix: "+8130000", digits: 4, routingPrefix: "8081", cluster: clusterUS},
	bengaluru: {name: "Bengaluru", country: "IN", state: "KA", city: "Bengaluru", street: "7 Namune Road", postcode: "560001", zone: "Asia/Kolkata", language: "en_in", latitude: "12.935784", longitude: "77.697332", culture: indian, weight: 10, prefix: "+91800000", digits: 4, routingPrefix: "8091", cluster: clusterUS},
	paris:     {name: "Paris", country: "FR", state: "", city: "Paris", street: "3 rue de l'Exemple", postcode: "75002", zone: "Europe/Paris", language: "fr_fr", latitude: 48.8566, longitude: 2.3522, culture: french, weight: 4, prefix: "+3319900", digits: 4, routingPrefix: "8033", cluster: clusterEU},
	munich:    {name: "München", country: "DE", state: "BY", city: "München", street: "Beispielweg 5", postcode: "80331", zone: "Europe/Berlin", language: "de_de", latitude: "48.1351", longitude: "11.5820", culture: german, weight: 3, prefix: "+498999998", digits: 3, routingPrefix: "8089", cluster: clusterEU},
	sydney:    {name: "Sydney", country: "AU", state: "NSW", city: "Sydney", street: "9 Example Quay", postcode: "2000", zone: "Australia/Sydney", language: "en_au", latitude: -33.8688, longitude: 151.2093, culture: british, weight: 1, prefix: "+6125550", digits: 4, routingPrefix: "8061", cluster: clusterUS},
}
