package webexsim

// culture is a stock of names that go together. The lists are ordinary given and
// family names; every combination is accidental.
type culture struct {
	first, last []string
}

// cultures are indexed by the constants below; locations name the one most of their people have.
var cultures = []culture{
	german: {
		first: []string{"Anna", "Felix", "Katharina", "Jonas", "Sabine", "Matthias", "Ulrike", "Stefan", "Heike", "Lukas", "Birgit", "Andreas", "Mareike", "Thorsten", "Friederike", "Jürgen", "Annika", "Moritz", "Gisela", "Henrik"},
		last:  []string{"Schneider", "Wagner", "Hoffmann", "Schäfer", "Koch", "Richter", "Neumann", "Schwarz", "Krüger", "Hartmann", "Lange", "Vogel", "Friedrich", "Günther", "Jung", "Winkler", "Sommer", "Brandt", "Seidel", "Kühn"},
	},
	spanish: {
		first: []string{"Lucía", "Javier", "Carmen", "Pablo", "Elena", "Álvaro", "Marta", "Sergio", "Pilar", "Diego", "Nuria", "Andrés", "Inés", "Gonzalo", "Beatriz", "Raúl", "Rocío", "Hugo", "Silvia", "Iker"},
		last:  []string{"García Ruiz", "Fernández", "Marín", "Romero", "Navarro", "Torres", "Domínguez", "Vázquez", "Ramos", "Gil", "Serrano", "Molina", "Delgado", "Ortega", "Castillo", "Núñez", "Iglesias", "Peña", "Cortés", "Ibáñez"},
	},
	british: {
		first: []string{"Emily", "Oliver", "Charlotte", "Harry", "Sophie", "George", "Amelia", "Jack", "Isla", "William", "Grace", "Thomas", "Freya", "Callum", "Imogen", "Rhys", "Niamh", "Alistair", "Poppy", "Edward"},
		last:  []string{"Taylor", "Wright", "Hughes", "Walker", "Green", "Wood", "Clarke", "Turner", "Hill", "Cooper", "Ward", "Morris", "Bell", "Murphy", "Bailey", "Marshall", "O'Brien", "MacLeod", "Davies", "Ashworth-Pryce"},
	},
	american: {
		first: []string{"Ashley", "Tyler", "Madison", "Brandon", "Jasmine", "Marcus", "Brianna", "Kevin", "Denise", "Carlos", "Monica", "Derek", "Latoya", "Ethan", "Rachel", "Jamal", "Heather", "Logan", "Vanessa", "Curtis"},
		last:  []string{"Johnson", "Williams", "Jones", "Miller", "Davis", "Rodriguez", "Wilson", "Anderson", "Thomas", "Jackson", "White", "Harris", "Lewis", "Robinson", "Allen", "Young", "Hernandez", "Nguyen", "Carter", "Washington"},
	},
	japanese: {
		first: []string{"Yuki", "Haruto", "Sakura", "Ren", "Aoi", "Sota", "Misaki", "Kaito", "Rin", "Daiki", "Ayumi", "Takeshi", "Emi", "Kenji", "Naoko", "Hiroshi", "Mai", "Shun", "Kumiko", "Ryo"},
		last:  []string{"Suzuki", "Takahashi", "Tanaka", "Watanabe", "Ito", "Yamamoto", "Nakamura", "Kobayashi", "Kato", "Yoshida", "Yamada", "Sasaki", "Matsumoto", "Inoue", "Kimura", "Hayashi", "Shimizu", "Mori", "Abe", "Ikeda"},
	},
	indian: {
		first: []string{"Aarav", "Diya", "Vikram", "Ananya", "Rohan", "Priya", "Karthik", "Meera", "Arjun", "Lakshmi", "Sanjay", "Kavya", "Nikhil", "Shreya", "Harish", "Divya", "Suresh", "Pooja", "Imran", "Nandini"},
		last:  []string{"Sharma", "Reddy", "Iyer", "Gupta", "Nair", "Rao", "Menon", "Singh", "Krishnan", "Das", "Mehta", "Kulkarni", "Joshi", "Bhat", "Chatterjee", "Khan", "Verma", "Pillai", "Desai", "Subramanian"},
	},
	french: {
		first: []string{"Camille", "Julien", "Chloé", "Antoine", "Manon", "Nicolas", "Léa", "Étienne", "Aurélie", "Mathieu", "Élise", "Guillaume", "Margaux", "Benoît", "Hélène", "Rémi", "Justine", "Cédric", "Noémie", "Yann"},
		last:  []string{"Martin", "Bernard", "Dubois", "Moreau", "Laurent", "Lefèvre", "Roux", "Fournier", "Girard", "Bonnet", "Mercier", "Blanc", "Guérin", "Faure", "Chevalier", "Gauthier", "Perrin", "Robin", "Clément", "d'Aubigny"},
	},
	nordic: {
		first: []string{"Freja", "Magnus", "Ingrid", "Lars", "Astrid", "Søren", "Sigrid", "Anders", "Maja", "Björn", "Solveig", "Oskar", "Tuuli", "Eero", "Linnea", "Viggo", "Åsa", "Jesper", "Karin", "Nils"},
		last:  []string{"Nielsen", "Hansen", "Andersson", "Johansson", "Bergström", "Sørensen", "Virtanen", "Korhonen", "Dahl", "Haugen", "Lindgren", "Åkesson", "Nyström", "Kristiansen", "Mäkinen", "Ekberg", "Solberg", "Thorsen", "Øberg", "Holmqvist"},
	},
	turkish: {
		first: []string{"Elif", "Emre", "Zeynep", "Mustafa", "Ayşe", "Murat", "Defne", "Kerem", "Esra", "Burak", "Selin", "Onur", "Gül", "Cem", "Derya", "Hakan", "Ebru", "Tolga", "İrem", "Serkan"},
		last:  []string{"Yılmaz", "Kaya", "Demir", "Şahin", "Çelik", "Yıldız", "Aydın", "Öztürk", "Arslan", "Doğan", "Koç", "Kurt", "Özdemir", "Polat", "Aksoy", "Tekin", "Güneş", "Bulut", "Erdoğan", "Ünal"},
	},
	arabic: {
		first: []string{"Layla", "Yusuf", "Noor", "Karim", "Salma", "Tariq", "Huda", "Sami", "Rania", "Khalid", "Dina", "Faris", "Amina", "Bilal", "Yasmin", "Ziad", "Mona", "Hassan", "Samira", "Rami"},
		last:  []string{"Haddad", "Mansour", "Khoury", "Saleh", "Nasser", "Aziz", "Hamdan", "Farouk", "Rahman", "Sayegh", "Bitar", "Najjar", "Darwish", "Hakim", "Shaheen", "Qasim", "El-Masri", "Habib", "Zaki", "Issa"},
	},
	african: {
		first: []string{"Amara", "Kwame", "Zainab", "Chidi", "Nia", "Tendai", "Adaeze", "Sipho", "Wanjiru", "Kofi", "Thandiwe", "Oluwaseun", "Makena", "Jabari", "Ngozi", "Themba", "Abena", "Uche", "Lindiwe", "Baraka"},
		last:  []string{"Okafor", "Mensah", "Dlamini", "Mwangi", "Adeyemi", "Nkosi", "Boateng", "Eze", "Kamau", "Moyo", "Abiola", "Owusu", "Ndlovu", "Otieno", "Balogun", "Asante", "Khumalo", "Njoroge", "Diallo", "Traoré"},
	},
	chinese: {
		first: []string{"Wei", "Li Na", "Jun", "Xiuying", "Hao", "Mei", "Lei", "Fang", "Tao", "Yan", "Bo", "Jing", "Ming", "Xia", "Peng", "Lan", "Qiang", "Hui", "Rui", "Ying"},
		last:  []string{"Wang", "Li", "Zhang", "Liu", "Yang", "Huang", "Zhao", "Wu", "Zhou", "Xu", "Sun", "Ma", "Zhu", "Hu", "Guo", "Lin", "He", "Gao", "Luo", "Zheng"},
	},
}

const (
	german = iota
	spanish
	british
	american
	japanese
	indian
	french
	nordic
	turkish
	arabic
	african
	chinese
)

var titles = []string{"Account Manager", "Sales Representative", "Customer Advisor", "Engineer", "Team Lead", "Office Manager", "Analyst", "Buyer", "Controller", "Product Manager", "Technician", "HR Partner"}

var departments = []string{"Sales", "Service", "Finance", "Engineering", "Operations", "People", "Marketing", "IT", "Legal", "Logistics"}
