from .emotional_speech import make_emotional_speech
from .japanese_vowels import load_japanese_vowels
from .voice_prompts import load_voice_prompts

__all__ = ["load_japanese_vowels", "load_voice_prompts", "make_emotional_speech"]
