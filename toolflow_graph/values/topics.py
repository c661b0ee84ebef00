"""Texts by what a slot is about, for catalogs whose slots carry no examples of their own."""

import random
import re
from functools import lru_cache

__all__ = ["draw_topic", "examples_in"]

_NAMES = (
    "Aurora,Northstar,Bluebird,Juniper,Meridian,Atlas,Willow,Falcon,Horizon,Ember,Harbor,Cedar,Lighthouse,Orchid,"
    "Summit,Maple,Polaris,Compass,Sparrow,Riverside"
)
_THINGS = (
    "quarterly review,birthday dinner,garden tools,running shoes,kitchen renovation,travel insurance,guitar lessons,"
    "vegetable soup,wireless headphones,office chair,summer festival,electric bikes,coffee grinder,city museum"
)
# words of a slot's name → what people write there; the last word of a name counts first
_TOPICS = {
    "movie film": "Casablanca,Inception,Spirited Away,The Godfather,Arrival,Amélie,Parasite,Jaws",
    "song track": "Bohemian Rhapsody,Imagine,Clocks,Purple Rain,Yesterday,Billie Jean,Hallelujah",
    "album": "Abbey Road,Thriller,Rumours,Kind of Blue,Back to Black,Random Access Memories",
    "artist band singer musician": "Adele,Miles Davis,Radiohead,Daft Punk,Nina Simone,Coldplay",
    "book novel": "Pride and Prejudice,Dune,The Hobbit,Moby-Dick,Beloved,Middlemarch,The Leopard",
    "author writer poet": "Jane Austen,Ursula K. Le Guin,Italo Calvino,Toni Morrison,Haruki Murakami",
    "game videogame": "Catan,Chess,Stardew Valley,Mario Kart,Tetris,The Witcher 3,Portal 2",
    "genre": "jazz,comedy,science fiction,thriller,documentary,classical,fantasy",
    "team club": "Arsenal,FC Barcelona,Boston Celtics,Golden State Warriors,Bayern Munich,New York Yankees",
    "league competition tournament": "Premier League,NBA,La Liga,Champions League,Bundesliga,Wimbledon",
    "sport sports": "football,basketball,tennis,swimming,rowing,cycling,volleyball",
    "player athlete": "Serena Williams,LeBron James,Lionel Messi,Roger Federer,Simone Biles",
    "university college school": "Stanford University,ETH Zurich,University of Leeds,Trinity College Dublin,MIT",
    "subject course class": "linear algebra,organic chemistry,art history,microeconomics,Spanish for beginners",
    "topic theme": "renewable energy,urban gardening,machine learning,medieval history,ocean plastics,sleep habits",
    "query keyword keywords search term": (
        "electric bikes,hiking trails near Geneva,wireless headphones,remote work tips,vegetarian lasagne,solar panels"
    ),
    "disease condition illness diagnosis": "asthma,migraine,type 2 diabetes,hypertension,seasonal flu,eczema",
    "symptom symptoms": "headache,dry cough,fever,back pain,dizziness,sore throat",
    "drug medication medicine": "ibuprofen,metformin,amoxicillin,paracetamol,atorvastatin",
    "food dish meal recipe cuisine ingredient ingredients": (
        "lasagne,pad thai,lentil curry,mushroom risotto,tomato soup,chickpeas,basmati rice,ramen"
    ),
    "fruit vegetable": "apple,carrot,spinach,mango,broccoli,pear",
    "drink beverage coffee": "flat white,green tea,espresso,lemonade,cappuccino",
    "animal pet": "otter,golden retriever,barn owl,red fox,humpback whale,tabby cat",
    "species organism": "Panthera leo,Homo sapiens,Quercus robur,Ursus arctos,Escherichia coli",
    "plant tree flower": "lavender,oak,sunflower,olive tree,basil,tulip",
    "breed": "Labrador,Border Collie,Maine Coon,Beagle,Siamese",
    "gene allele": "BRCA1,TP53,APOE,CFTR,MTHFR",
    "protein enzyme": "hemoglobin,insulin,collagen,lactase,amylase",
    "element metal": "copper,oxygen,iron,carbon,gold,helium",
    "compound chemical substance molecule formula": "ethanol,sodium chloride,methane,glucose,ammonia,benzene",
    "planet star celestial": "Mars,Venus,Jupiter,Saturn,Neptune",
    "material": "oak,stainless steel,cotton,glass,concrete,aluminium",
    "color colour": "dark blue,green,black,white,red,turquoise",
    "size": "small,medium,large",
    "brand make manufacturer": "Bosch,Toyota,Samsung,IKEA,Volvo,Sony,Canon",
    "model": "Corolla,Golf,Model 3,ThinkPad X1,Galaxy S24,EOS R6",
    "vehicle car": "Toyota Corolla,Volkswagen Golf,Volvo V60,Honda Civic,Tesla Model 3",
    "product item goods": (
        "wireless headphones,office chair,running shoes,coffee grinder,desk lamp,yoga mat,rain jacket,phone case"
    ),
    "device appliance": "washing machine,thermostat,living room speaker,robot vacuum,smart plug",
    "instrument": "violin,acoustic guitar,flute,piano,cello,trumpet",
    "note key": "C major,A minor,G major,E flat major",
    "room": "double room,living room,meeting room B,guest room,kitchen",
    "event": "summer festival,team offsite,book launch,wine tasting,product demo,charity run",
    "title headline": "Quarterly review,Team lunch,Project kickoff,Dentist,Weekly planning,Budget meeting",
    "message body text content sentence paragraph": (
        "I'm running ten minutes late.,The slides are in the shared folder.,Could we move our call to the afternoon?,"
        "Thanks for the quick reply.,Please send the signed copy back."
    ),
    "review comment feedback": "Great service and friendly staff,Arrived late but well packed,Exactly as described",
    "description summary details note notes": (
        "window seat if possible,leaks when it rains,needs a quiet corner,arrived with a scratch,"
        "for the spring campaign"
    ),
    "reason": "change of plans,arrived damaged,found a better price,family matters,no longer needed",
    "question": "How do I reset my password?,When does the museum open?,What is the refund policy?",
    "answer response": "next Monday works,the blue one,about two hours",
    "department team_name": "marketing,finance,engineering,human resources,customer support",
    "job position occupation profession role": "data analyst,nurse,project manager,electrician,teacher",
    "industry sector": "retail,healthcare,logistics,renewable energy,hospitality",
    "skill skills": "Python,public speaking,bookkeeping,SQL,negotiation",
    "hobby interest interests activity activities": "hiking,photography,cooking,rock climbing,chess,kayaking",
    "exercise workout": "squats,rowing,yoga,interval run,swimming",
    "stock index": "Apple,Nestlé,S&P 500,Siemens,NASDAQ",
    "law case court": "contract dispute,bankruptcy,Roe v. Wade,property law,patent infringement",
    "war battle period era century": "Renaissance,Battle of Waterloo,World War I,the Bronze Age,the French Revolution",
    "painting artwork sculpture": "The Starry Night,Mona Lisa,The Thinker,Girl with a Pearl Earring,Guernica",
    "style": "modern,minimalist,Art Deco,Impressionist,casual",
    "religion god deity": "Buddhism,Zeus,Christianity,Hinduism,Athena",
    "monument museum attraction landmark site": "Louvre,Eiffel Tower,Rijksmuseum,Colosseum,Statue of Liberty,Prado",
    "river lake mountain ocean": "Danube,Lake Geneva,Mont Blanc,Amazon,Lake Como",
    "street road": "Main Street,Station Road,Park Avenue",
    "zodiac sign": "Leo,Taurus,Libra,Aquarius",
    "function equation expression": "x^2 + 3x - 4,2x + 5,sin(x),x^3 - 2x",
    "variable": "x,t,n",
    "unit units": "kilometers,pounds,liters,celsius,meters",
    "library framework package module": "numpy,react,requests,lodash,django",
    "repository repo project": "web-frontend,billing-service,data-pipeline,mobile-app,docs-site",
    "branch": "main,feature/login,release-2.4,fix/typo",
    "commit version": "1.4.2,2.0.0,3.11,0.9.5",
    "server host hostname cluster instance": "web-01,db-primary,staging-02,cache-eu",
    "database schema": "customers,inventory,analytics,orders_db",
    "table": "orders,employees,products,invoices",
    "column field": "email,created_at,price,status",
    "path directory folder": "/home/clara/reports,/data/archive,/srv/photos,/mnt/export",
    "file filename document": "report.pdf,notes.txt,budget.xlsx,summary.docx,minutes.md",
    "format extension": "pdf,csv,json,xlsx",
    "tag label category type kind": "work,family,urgent,outdoor,vintage,premium",
    "status state": "active,pending,completed",
    "priority": "high,low,medium",
    "gender sex": "female,male",
    "password secret": "blue-kettle-42,Sunny!Harbor7,paper.Lantern9",
    "group list playlist collection channel": "Weekend Mix,Book Club,Road Trip,Family,Running Crew",
    "symbol": "AAPL,MSFT,NVDA,SAP",
    "domain": "example.com,example.org,shop.example.net",
    "command": "ls -la,git status,npm install,docker ps",
    "goal objective target": "lose five kilos,save for a house,run a half marathon,learn Spanish",
    "policy rule": "remote work policy,fair use,return policy",
    "season": "spring,summer,autumn,winter",
    "language": "Spanish,German,French,Italian,Japanese",
    "weather": "sunny,rainy,cloudy,windy",
    "sequence dna": "ATGCGTAC,GATTACA,CCGTATTA",
    "publisher": "Penguin Books,Northgate Press,Silverbrook Media",
    "value": "blue,42,hello,Geneva",
    "name": _NAMES,
    "password_hint": "first pet,mother's maiden name",
}
_ALTERNATIVES = re.compile(
    r"(?:e\.?g\.?[,:]?|eg\.|for example[,:]?|for instance[,:]?|such as|examples?(?: are| include)?[:,]|options include|"
    r"(?:can|must|should|could) be (?:one of|either)[:,]?)\s+(?P<list>[^.()\n]{3,160})",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"(?<!\w)(?P<q>['\"`])([^'\"`]{1,40})(?P=q)(?!\w)|\u201c([^\u201d]{1,40})\u201d")
_UNUSABLE = re.compile(
    r"[{}<>\[\]=\\]|YYYY|yyyy|HH:|/path|^(?:true|false|none|null|etc|and so on|dontcare|this|the \w+|a \w+|an \w+)$",
    re.IGNORECASE,
)


@lru_cache(maxsize=1)
def _by_word() -> dict[str, tuple[str, ...]]:
    return {word: tuple(values.split(",")) for words, values in _TOPICS.items() for word in words.split()}


def draw_topic(words: tuple[str, ...], description: str, rng: random.Random) -> str:
    """Return a text for a slot of these words: from the examples in its description, else by its topic."""
    examples = examples_in(description)
    if examples:
        return rng.choice(examples)
    topics = _by_word()
    found = next((word for word in reversed(words) if word in topics and word not in _VAGUE), None)
    if found is None:
        told = re.findall(r"[a-z]+", description.lower())[:8]
        found = next((w for w in (*told, *reversed(words)) if w in topics and w not in _POOR), None)
        found = found or next((w for w in reversed(words) if w in topics), None)
    return rng.choice(topics[found]) if found else rng.choice(_THINGS.split(","))


_VAGUE = frozenset({"name", "type", "kind", "description", "text", "content", "title", "details", "value", "format"})
_POOR = _VAGUE | {"function", "list", "field", "state", "key", "target", "details", "class", "case", "site", "make"}


@lru_cache(maxsize=8192)
def examples_in(description: str) -> tuple[str, ...]:
    """Return the example values that a description gives, quoted or after "e.g." and the like."""
    quoted = [m[2] or m[3] for m in _QUOTED.finditer(description)]
    quoted = [q.strip() for q in quoted if not _UNUSABLE.search(q.strip())]
    if quoted:
        return tuple(dict.fromkeys(quoted))
    match = _ALTERNATIVES.search(description)
    if match is None:
        return ()
    if place := re.match(r"[A-Z][\w ]+, [A-Z]{2}\b", match["list"]):
        return (place[0],)
    parts = [
        re.sub(r"\s+etc\b.*", "", p).strip(" '\"`;:") for p in re.split(r",|;|\bor\b|\band\b|/(?=\w)", match["list"])
    ]
    usable = [p for p in parts if 1 < len(p) <= 30 and len(p.split()) <= 4 and not _UNUSABLE.search(p)]
    return tuple(dict.fromkeys(usable[:8]))
