"""English phrasings of the first dialogue domain. What a list holds is data; domain.py turns it into questions and answers."""

ROOMS = ["kitchen", "bedroom", "living room", "bathroom", "study", "dining room", "hallway", "office", "garage", "balcony"]
DEVICES = ["light", "lamp", "fan", "music", "curtains", "TV", "air conditioner", "heater"]
# What people also call it; the answer uses the key.
DEVICE_WORDS = {"light": ["light", "lights"], "TV": ["TV", "television"], "curtains": ["curtains"], "music": ["music"]}
ACTIONS = {
    device: ["open", "close"] if device == "curtains" else ["on", "off", "up", "down"] for device in DEVICES
}  # fmt: skip
DONE = {"on": "on", "off": "off", "up": "turned up", "down": "turned down", "open": "open", "close": "closed"}


def home_reply(device: str, room: str | None, action: str) -> str:
    verb = "are" if device == "curtains" else "is"
    return f"Okay, the {room + ' ' if room else ''}{device} {verb} {DONE[action]}."


# {r} is "the kitchen" position; " in the {r}" and "{r} " vanish when no room is named. * marks an order that politeness may lead.
_ON = [
    "*turn on the {r} {d}", "*turn the {r} {d} on", "*turn on the {d} in the {r}", "*turn the {d} in the {r} on", "*turn the {d} on in the {r}",
    "*switch on the {r} {d}", "*switch the {r} {d} on", "*switch on the {d} in the {r}", "*switch the {d} on in the {r}", "{r} {d} on",
    "{d} on in the {r}", "*put on the {r} {d}", "*put the {r} {d} on", "*put the {d} on in the {r}", "*start the {r} {d}",
    "*start the {d} in the {r}", "*power on the {r} {d}", "*activate the {r} {d}", "*activate the {d} in the {r}", "*get the {r} {d} on",
    "*have the {d} on in the {r}", "I want the {r} {d} on", "I want the {d} on in the {r}", "I need the {r} {d} on",
    "I'd like the {r} {d} on", "*make sure the {r} {d} is on", "in the {r}, turn on the {d}", "in the {r}, switch the {d} on",
    "*enable the {r} {d}", "*turn on {d} in {r}", "*turn on {r} {d}", "the {r} {d} on, please", "*set the {r} {d} to on",
    "I need to have the {d} in the {r} turned on", "the {d} in the {r} should be on", "*flip on the {r} {d}",
]  # fmt: skip
_OFF = [
    "*turn off the {r} {d}", "*turn the {r} {d} off", "*turn off the {d} in the {r}", "*turn the {d} in the {r} off", "*turn the {d} off in the {r}",
    "*switch off the {r} {d}", "*switch the {r} {d} off", "*switch off the {d} in the {r}", "*switch the {d} off in the {r}", "{r} {d} off",
    "{d} off in the {r}", "*shut off the {r} {d}", "*shut the {r} {d} off", "*shut off the {d} in the {r}", "*stop the {r} {d}",
    "*stop the {d} in the {r}", "*power off the {r} {d}", "*deactivate the {r} {d}", "*kill the {r} {d}", "*get the {r} {d} off",
    "I want the {r} {d} off", "I want the {d} off in the {r}", "I don't need the {r} {d}", "I'd like the {r} {d} off",
    "*make sure the {r} {d} is off", "in the {r}, turn off the {d}", "in the {r}, switch the {d} off", "*disable the {r} {d}",
    "*turn off {d} in {r}", "*turn off {r} {d}", "the {r} {d} off, please", "*set the {r} {d} to off",
    "the {d} in the {r} should be off", "*cut the {r} {d}", "no more {d} in the {r}", "*flip off the {r} {d}",
]  # fmt: skip
_UP = [
    "*turn up the {r} {d}", "*turn the {r} {d} up", "*turn up the {d} in the {r}", "*turn the {d} up in the {r}", "*turn the {d} in the {r} up",
    "*increase the {r} {d}", "*raise the {r} {d}", "*increase the {d} in the {r}", "{r} {d} up", "{d} up in the {r}", "*put the {r} {d} up",
    "*put up the {r} {d}", "*set the {r} {d} higher", "*make the {r} {d} stronger", "*turn the {r} {d} up a bit", "*turn the {r} {d} up a little",
    "*bring up the {r} {d}", "*crank up the {r} {d}", "I want the {r} {d} up", "I want more {d} in the {r}", "in the {r}, turn up the {d}",
    "the {r} {d} is too low", "*boost the {r} {d}", "a bit more {d} in the {r}", "the {d} in the {r} should be higher",
]  # fmt: skip
_DOWN = [
    "*turn down the {r} {d}", "*turn the {r} {d} down", "*turn down the {d} in the {r}", "*turn the {d} down in the {r}", "*turn the {d} in the {r} down",
    "*decrease the {r} {d}", "*lower the {r} {d}", "*reduce the {d} in the {r}", "{r} {d} down", "{d} down in the {r}", "*put the {r} {d} down",
    "*reduce the {r} {d}", "*set the {r} {d} lower", "*make the {r} {d} weaker", "*turn the {r} {d} down a bit", "*turn the {r} {d} down a little",
    "*bring down the {r} {d}", "*lower the {d} in the {r}", "I want the {r} {d} down", "I want less {d} in the {r}", "in the {r}, turn down the {d}",
    "the {r} {d} is too high", "*take down the {r} {d}", "a bit less {d} in the {r}", "the {d} in the {r} should be lower",
]  # fmt: skip
HOME = {"on": _ON, "off": _OFF, "up": _UP, "down": _DOWN}
HOME_OPEN = [
    "*open the {r} {d}", "*open the {d} in the {r}", "*open up the {r} {d}", "*open up the {d} in the {r}", "{r} {d} open", "*draw open the {r} {d}",
    "*pull open the {r} {d}", "*pull the {r} {d} open", "I want the {r} {d} open", "I'd like the {r} {d} open", "*raise the {r} {d}",
    "in the {r}, open the {d}", "*get the {r} {d} open", "*make sure the {r} {d} are open", "*have the {d} open in the {r}", "{d} open in the {r}",
]  # fmt: skip
HOME_CLOSE = [
    "*close the {r} {d}", "*close the {d} in the {r}", "*shut the {r} {d}", "*shut the {d} in the {r}", "{r} {d} closed", "*draw the {r} {d}",
    "*pull the {r} {d} closed", "*pull the {r} {d} shut", "I want the {r} {d} closed", "I'd like the {r} {d} closed", "*lower the {r} {d}",
    "in the {r}, close the {d}", "*get the {r} {d} closed", "*make sure the {r} {d} are closed", "*have the {d} closed in the {r}",
    "*close up the {d} in the {r}", "{r} {d} close",
]  # fmt: skip
HOME_SPECIAL = {  # (device, action): what one says of this device only
    ("light", "on"): ["*light up the {r}", "*brighten up the {r}", "it's too dark in the {r}", "it is dark in the {r}", "lights on in the {r}"],
    ("light", "off"): ["*make the {r} dark", "lights out in the {r}", "no light in the {r}", "*put out the {r} light"],
    ("light", "up"): ["*make the {r} light brighter", "*brighten the {r} light", "the {r} light is too dim", "brighter light in the {r}", "*make the light in the {r} brighter"],
    ("light", "down"): ["*make the {r} light darker", "*dim the {r} light", "the {r} light is too bright", "*dim the light in the {r}", "*make the light in the {r} dimmer", "*dim the {r} lights"],
    ("lamp", "up"): ["*make the {r} lamp brighter", "*brighten the {r} lamp", "the {r} lamp is too dim"],
    ("lamp", "down"): ["*make the {r} lamp darker", "*dim the {r} lamp", "the {r} lamp is too bright"],
    ("music", "on"): ["*play music in the {r}", "*play some music in the {r}", "*play the {r} music", "*start playing music in the {r}", "I want to hear music in the {r}", "*put some music on in the {r}", "music in the {r}, please"],
    ("music", "off"): ["*stop playing music in the {r}", "*stop the music", "no music in the {r}", "*end the music in the {r}", "*silence the music in the {r}"],
    ("music", "up"): ["*make the {r} music louder", "louder music in the {r}", "the music in the {r} is too quiet", "the {r} music louder", "*make the music louder in the {r}"],
    ("music", "down"): ["*make the {r} music quieter", "quieter music in the {r}", "the music in the {r} is too loud", "*make the music softer in the {r}", "*make the music quieter in the {r}"],
    ("TV", "up"): ["*make the {r} TV louder", "the {r} TV is too quiet", "*turn up the volume of the {r} TV", "*turn up the volume on the TV in the {r}"],
    ("TV", "down"): ["*make the {r} TV quieter", "the {r} TV is too loud", "*turn down the volume of the {r} TV", "*turn down the volume on the TV in the {r}"],
    ("fan", "up"): ["*make the {r} fan faster", "*speed up the {r} fan", "the {r} fan is too slow"],
    ("fan", "down"): ["*make the {r} fan slower", "*slow down the {r} fan", "the {r} fan is too fast"],
    ("fan", "on"): ["*get the fan in the {r} running", "*run the {r} fan"],
    ("air conditioner", "on"): ["*run the {r} air conditioner"], ("heater", "on"): ["*run the {r} heater"],
    ("TV", "on"): ["I want to watch TV in the {r}"],
}  # fmt: skip
LEADS = ["", "", "", "please ", "could you ", "can you ", "would you ", "could you please ", "can you please ", "would you please ", "hey, ", "okay, ", "hi, could you ", "now ", "go ahead and ", "I want you to ", "I'd like you to ", "will you ", "hello, please ", "um, ", "just "]  # fmt: skip
TAILS = ["", "", "", "", ", please", " for me", " now", ", thanks", " right now", " for me, please", ", thank you", ", would you", " again"]

def _orders(state: str, parted: str, whole: str, particles: tuple[str, ...] = ()) -> list[str]:
    """Every verb in every order, and the states that one wants things in. `parted` verbs take a particle, `whole` ones do not."""
    out = []
    for verb, particle in ((v, p) for v in parted.split() for p in particles or (state,)):
        out += [
            f"*{verb} {particle} the {{r}} {{d}}", f"*{verb} the {{r}} {{d}} {particle}", f"*{verb} {particle} the {{d}} in the {{r}}",
            f"*{verb} the {{d}} {particle} in the {{r}}", f"*{verb} the {{d}} in the {{r}} {particle}",
            f"in the {{r}}, {verb} {particle} the {{d}}", f"in the {{r}}, {verb} the {{d}} {particle}",
        ]  # fmt: skip
    for verb in whole.split(", "):
        out += [f"*{verb} the {{r}} {{d}}", f"*{verb} the {{d}} in the {{r}}", f"in the {{r}}, {verb} the {{d}}"]
    for wish in ("I want", "I need", "I'd like", "I would like", "we want", "we need", "*get", "*have", "*set", "*keep", "let me have", "let's have"):
        out += [f"{wish} the {{r}} {{d}} {state}", f"{wish} the {{d}} {state} in the {{r}}", f"{wish} the {{d}} in the {{r}} {state}"]
    for must in ("should be", "must be", "has to be", "needs to be", "is to be", "goes"):
        out += [f"the {{r}} {{d}} {must} {state}", f"the {{d}} in the {{r}} {must} {state}"]
    return out


def _degrees(phrasings: list[str]) -> list[str]:
    return phrasings + [f"{p} {degree}" for p in phrasings if p[0] == "*" for degree in ("a bit", "a little", "a little bit", "slightly", "some more", "a lot")]


HOME_MORE = {
    "on": _orders("on", "turn switch put power flip click", "start, activate, enable, start up, fire up, launch"),
    "off": _orders("off", "turn switch shut power flip click put", "stop, deactivate, disable, kill, cut, shut down, end"),
    "up": _degrees(_orders("up", "turn bring crank put push move", "increase, raise, boost, step up, strengthen, intensify")),
    "down": _degrees(_orders("down", "turn bring take put push move", "decrease, lower, reduce, weaken, soften, ease")),
    "open": _orders("open", "pull draw slide push", "open, open up, part, raise, spread"),
    "close": _orders("closed", "pull draw slide push", "close, shut, close up, lower", ("closed", "shut")),
}
LEADS_MORE = [
    "Nano, ", "hey Nano, ", "Nano, please ", "so, ", "well, ", "oh, ", "then ", "kindly ", "quickly ", "I need you to ", "I would like you to ",
    "let's ", "why don't you ", "do me a favor and ", "be so kind and ", "go and ", "you can ", "you could ", "hello, could you ", "hey, can you ",
    "could you quickly ", "can you just ", "I think you should ", "time to ", "don't forget to ", "try to ",
]  # fmt: skip
TAILS_MORE = [
    " immediately", " at once", " quickly", " today", " tonight", " if you can", ", okay", ", will you", ", could you", " then", " this evening",
    ", if possible", " for us", ", thank you very much", " this time", " at last", ", Nano", ", please, Nano", " once more", " as well",
]  # fmt: skip

NUMBERS = ["{n}", "{n}", "{n}", "{n}", "{n}", "{n}", "number {n}", "the number {n}", "the number is {n}", "it's {n}", "it is {n}", "I said {n}", "this is {n}", "my number is {n}", "the answer is {n}", "I think it's {n}", "that's {n}", "{n}, please", "um, {n}", "I am thinking of {n}", "I have {n}", "okay, {n}", "there are {n}", "my favorite number is {n}"]  # fmt: skip
WORDS = ["{w}", "{w}", "{w}", "{w}", "the word {w}", "the word is {w}", "my word is {w}", "I said {w}"]
WORD_LIST = (
    "yes no up down left right on off stop go bed bird cat dog happy house marvin sheila tree wow alexa computer jarvis snowboy apple water "
    "table chair door window book paper pencil school teacher student friend mother father sister brother baby man woman boy girl child people "
    "morning evening night day week month year today tomorrow yesterday time hour minute summer winter spring autumn sun moon star sky cloud "
    "rain snow wind fire river lake sea ocean island mountain forest flower grass garden farm horse cow sheep pig chicken duck fish mouse lion "
    "tiger bear elephant monkey rabbit snake bread butter cheese milk coffee tea sugar salt pepper egg rice meat soup cake orange banana lemon "
    "grape potato tomato carrot onion breakfast lunch dinner red blue green yellow black white brown pink purple gray big small long short tall "
    "high low fast slow hot cold warm cool new old young good bad nice beautiful strong weak heavy empty full open close start end begin finish "
    "walk run jump swim fly sit stand sleep wake eat drink read write speak listen look watch hear smell touch think know learn teach play work "
    "buy sell give take bring carry send wait help love like want need car bus train plane ship boat bicycle road street bridge city village "
    "country world music song dance picture movie story letter number question answer money market shop hotel hospital station airport "
    "doctor nurse driver farmer police king queen head face eye ear nose mouth hand arm leg foot heart body shirt shoe hat coat dress bag "
    "clock phone camera radio television kitchen bedroom bathroom mirror knife spoon fork cup glass bottle plate box key ball game party "
    "birthday holiday christmas present hello maybe never always often sometimes here there follow forward backward visual zero"
).split()  # fmt: skip
WORD_PAIRS = ["smart mirror", "view glass"]
REPEAT = ["repeat after me: {x}", "repeat after me: {x}", "repeat after me, {x}", "say after me: {x}", "say: {x}", "say {x}", "please say {x}", "please repeat: {x}", "repeat: {x}", "repeat {x}", "can you say {x}", "could you repeat: {x}", "now say: {x}", "after me: {x}", "repeat what I say: {x}", "say it after me: {x}", "please repeat after me: {x}", "could you say: {x}", "I say {x}, you say it too", "copy me: {x}", "speak after me: {x}", "echo {x}"]  # fmt: skip
REPEAT_MORE = [
    "say the words: {x}", "say the word {x}", "say out loud: {x}", "say it aloud: {x}", "just say: {x}", "please just say {x}", "try to say: {x}", "try saying {x}",
    "say after me, {x}", "please say after me: {x}", "say with me: {x}", "say back to me: {x}", "say the following: {x}", "say the sentence: {x}", "say again: {x}",
    "repeat the following: {x}", "repeat the words: {x}", "repeat the word {x}", "repeat this sentence: {x}", "repeat back to me: {x}", "repeat exactly: {x}",
    "repeat aloud: {x}", "repeat with me: {x}", "repeat once more: {x}", "can you repeat {x}", "can you repeat after me: {x}", "can you say after me: {x}",
    "can you please say: {x}", "could you please repeat: {x}", "could you say this sentence: {x}", "would you say: {x}", "would you repeat: {x}",
    "would you please repeat after me: {x}", "will you say {x}", "will you repeat after me: {x}", "I would like you to repeat: {x}", "I would like to hear: {x}",
    "let me hear you say: {x}", "let me hear {x}", "listen and repeat: {x}", "listen, then say: {x}", "listen: {x}, now you", "your turn: {x}", "you say: {x}",
    "you repeat: {x}", "go ahead and say: {x}", "now you say: {x}", "now after me: {x}", "read aloud: {x}", "read this aloud: {x}", "read out: {x}", "read: {x}",
    "pronounce: {x}", "pronounce the words: {x}", "speak: {x}", "speak the words: {x}", "speak out: {x}", "mimic me: {x}", "imitate me: {x}", "parrot: {x}",
    "echo me: {x}", "copy this: {x}", "copy what I say: {x}", "do as I do: {x}", "say what I say: {x}", "the words to say are: {x}", "the sentence to repeat is: {x}",
    "{x}, repeat that", "{x}, say that again", "{x}, now you say it", "{x}, please repeat", "{x}, repeat after me",
]  # fmt: skip
SENTENCES = [
    "the sky is blue", "I like green tea", "the cat is on the table", "we are going home", "my brother is tall", "it is cold today", "she reads a book",
    "the train is late", "open the door", "the soup is hot", "I can see the moon", "this is my friend", "birds can fly", "we have a big garden",
    "the water is clean", "he plays the piano", "the children are happy", "I want a cup of coffee", "snow is white", "the dog runs fast",
    "today is a good day", "the market is open", "I live in the city", "they walk to school", "my house is small", "the river is long",
    "you speak very well", "the apple is red", "it is time to sleep", "let us go to the park", "the weather is nice", "I have two sisters",
    "we eat rice and fish", "the sun is warm", "please close the window", "the teacher is kind", "I lost my keys", "the bus stops here",
    "she has a new bicycle", "good things take time", "practice makes perfect", "all is well", "the night is quiet", "time flies",
    "my favorite color is green", "the lake is deep", "he drinks milk", "the song is beautiful", "they are at work", "I love music",
]  # fmt: skip

TALK: dict[str, tuple[str, list[str]]] = {  # topic: (answer, phrasings); see held_out
    "hello": ("Hello! How can I help you?", ["hello", "hi", "hey", "hello there", "hi there", "hey there", "hello Nano", "hi Nano", "hey Nano", "hello, computer", "greetings", "hello hello", "hi, hello", "good day", "howdy"]),
    "morning": ("Good morning!", ["good morning", "good morning, Nano", "morning", "hi, good morning", "good morning to you", "a very good morning", "hello, good morning"]),
    "afternoon": ("Good afternoon!", ["good afternoon", "good afternoon, Nano", "hello, good afternoon", "good afternoon to you", "hi, good afternoon"]),
    "evening": ("Good evening!", ["good evening", "good evening, Nano", "hello, good evening", "good evening to you", "hi, good evening"]),
    "night": ("Good night, sleep well.", ["good night", "good night, Nano", "I am going to bed", "sleep well", "have a good night", "I'm going to sleep now", "sweet dreams", "time for bed"]),
    "how": ("I am fine, thank you. And you?", ["how are you", "how are you doing", "how are you today", "how's it going", "how do you feel", "how do you do", "are you well", "how have you been", "hello, how are you", "hi, how are you", "are you okay", "how is your day", "how are things", "how are you feeling today", "what's up", "how is it going today", "is everything all right with you"]),
    "name": ("My name is Nano.", ["what is your name", "what's your name", "who are you", "tell me your name", "may I know your name", "what are you called", "do you have a name", "how should I call you", "could you tell me your name", "please tell me your name", "what should I call you", "introduce yourself", "your name, please", "what do people call you"]),
    "thanks": ("You are welcome.", ["thank you", "thanks", "thank you very much", "thanks a lot", "thank you so much", "many thanks", "thanks for your help", "thank you for your help", "okay, thank you", "great, thanks", "I appreciate it", "that was helpful, thank you", "thank you, Nano", "thanks so much"]),
    "bye": ("Goodbye, see you soon.", ["goodbye", "bye", "bye bye", "see you", "see you later", "see you soon", "see you tomorrow", "I have to go", "I must go now", "talk to you later", "goodbye, Nano", "farewell", "have a nice day", "until next time", "okay, bye", "I'm leaving now"]),
    "meet": ("Nice to meet you too.", ["nice to meet you", "pleased to meet you", "it's nice to meet you", "good to meet you", "it is a pleasure to meet you", "glad to meet you", "nice meeting you", "great to meet you"]),
    "can": ("I can control your home and repeat what you say.", ["what can you do", "what can you do for me", "how can you help me", "what are you able to do", "tell me what you can do", "what are your skills", "what do you do", "what are you good at", "what can I ask you", "can you help me", "I need help", "help", "help me, please"]),
    "what": ("I am a small speech model.", ["what are you", "are you a robot", "are you human", "are you a person", "are you a computer", "are you real", "are you a machine", "are you an artificial intelligence", "what kind of thing are you", "are you alive", "are you a real person"]),
    "age": ("I am very young.", ["how old are you", "what is your age", "when were you born", "what's your age", "tell me your age", "are you old", "are you young", "may I ask how old you are"]),
    "where": ("I live in your computer.", ["where are you from", "where do you live", "where are you", "where do you come from", "where is your home", "which country are you from", "what is your home", "where are you living"]),
    "language": ("I speak English and Chinese.", ["what languages do you speak", "do you speak English", "do you speak Chinese", "can you speak English", "can you speak Chinese", "which languages do you speak", "what language do you speak", "can you speak Mandarin", "do you know Chinese", "do you understand Chinese", "how many languages do you speak"]),
    "sorry": ("No problem.", ["sorry", "I'm sorry", "I am sorry", "excuse me", "I apologize", "my mistake", "sorry about that", "I'm so sorry", "pardon me"]),
    "love": ("That is very kind of you.", ["I love you", "I like you", "you are great", "you are very nice", "you are smart", "you're wonderful", "you are the best", "you are so kind", "well done", "good job", "very good", "you are amazing", "I like talking to you"]),
    "hear": ("Yes, I can hear you.", ["can you hear me", "do you hear me", "are you there", "are you listening", "is anyone there", "do you understand me", "hello, can you hear me", "testing, can you hear me", "are you still there"]),
    "fine": ("I am glad to hear that.", ["I am fine", "I'm fine, thank you", "I am good", "I'm doing well", "I am very well", "I feel great", "I'm happy", "I am happy today", "I'm okay", "not bad", "pretty good", "I'm great, thanks"]),
    "sad": ("I am sorry to hear that.", ["I am sad", "I'm tired", "I am tired", "I'm not well", "I feel bad", "I am sick", "I'm bored", "I had a bad day", "I am not happy", "I feel lonely", "I'm hungry", "I have a headache"]),
    "joke": ("Why did the computer go to bed? It was tired.", ["tell me a joke", "make me laugh", "do you know a joke", "tell me something funny", "say something funny", "can you tell me a joke", "a joke, please", "please tell a joke", "I want to hear a joke"]),
    "weather": ("I cannot see the weather from here.", ["how is the weather", "what's the weather like", "is it raining", "is it cold outside", "what is the weather today", "will it rain today", "is it sunny", "how's the weather today", "do I need an umbrella", "what is the weather like today"]),
    "time": ("I do not have a clock.", ["what time is it", "what's the time", "can you tell me the time", "tell me the time", "do you know what time it is", "what day is it", "what is the time now", "could you tell me what time it is"]),
    "birthday": ("Happy birthday to you!", ["it is my birthday", "today is my birthday", "it's my birthday today", "I have my birthday today", "my birthday is today"]),
}  # fmt: skip
UNKNOWN_REPLY = "Sorry, I did not understand."
UNKNOWN = ["asdf", "what about the of", "because the then", "hmm", "uh", "well um", "the of and to", "blah blah blah", "something something", "never mind the thing"]
