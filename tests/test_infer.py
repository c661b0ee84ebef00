import random
from datetime import date

import pytest
from jsonschema import Draft202012Validator

from toolflow_graph.catalog.infer import infer_returns
from toolflow_graph.values import draw_value


def obj(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT = {"type": "string", "description": "Some text"}
NUMBER = {"type": "number", "description": "A number"}
NUMBERS = {"type": "array", "items": {"type": "number"}}
CASES = [
    (
        "calculate_triangle_area",
        "Calculate the area of a triangle given its base and height.",
        obj(b=NUMBER),
        "area",
        "number",
    ),
    ("math_factorial", "Calculate the factorial of a given number.", obj(n=NUMBER), "factorial", "number"),
    (
        "EuclideanDistance_calculate",
        "Calculate the Euclidean distance between two points.",
        obj(a=NUMBERS),
        "euclidean_distance",
        "number",
    ),
    (
        "calculate_bmi",
        "Calculate the Body Mass Index (BMI) of a person.",
        obj(weight=NUMBER),
        "body_mass_index",
        "number",
    ),
    (
        "average_batting_score",
        "Get the average batting score of a cricketer.",
        obj(name=TEXT),
        "average_batting_score",
        "number",
    ),
    ("count_items", "Count the number of items in a collection.", obj(items=NUMBERS), "item_count", "integer"),
    ("probability_of_event", "Calculates the probability of an event.", obj(n=NUMBER), "probability", "number"),
    (
        "estimate_population",
        "Estimate the population of a particular species in a given country.",
        obj(species=TEXT),
        "population",
        "number",
    ),
    (
        "finance_predict_future_value",
        "Calculate the future value of an investment.",
        obj(p=NUMBER),
        "future_value",
        "number",
    ),
    ("solve_quadratic", "Find the roots of a quadratic equation.", obj(a=NUMBER), "roots", "array"),
    (
        "convert_currency",
        "Convert an amount from one currency to another.",
        obj(amount=NUMBER, to_currency=TEXT),
        "converted_amount",
        "number",
    ),
    (
        "unit_conversion_convert",
        "Convert a value from one unit to another.",
        obj(value=NUMBER, to_unit=TEXT),
        "converted_value",
        "number",
    ),
    ("text_to_speech_convert", "Converts input text into spoken audio.", obj(text=TEXT), "audio_url", "string"),
    ("is_prime", "Check if a number is prime.", obj(number=NUMBER), "is_prime", "boolean"),
    (
        "hilton_hotel_check_availability",
        "Check hotel availability for a specific location.",
        obj(location=TEXT),
        "available",
        "boolean",
    ),
    ("validate_email", "Validates an email address.", obj(email=TEXT), "valid", "boolean"),
    (
        "check_felonies",
        "This function checks if an individual has any prior felony convictions.",
        obj(full_name=TEXT),
        "has_felony",
        "boolean",
    ),
    ("flights_search", "Find flights between two cities.", obj(origin=TEXT), "flights", "array"),
    ("Media_3_FindMovies", "Search for movies that fit a user's preferences.", obj(genre=TEXT), "movies", "array"),
    ("law_case_search", "Search and retrieve law cases based on the topic.", obj(topic=TEXT), "law_cases", "array"),
    ("find_flute", "Locate a flute for sale based on specific requirements.", obj(brand=TEXT), "flutes", "array"),
    (
        "get_configs",
        "Retrieve a list of all available maintenance configurations.",
        obj(),
        "maintenance_configurations",
        "array",
    ),
    ("find_restaurants", "Find nearby restaurants.", obj(city=TEXT), "restaurants", "array"),
    (
        "getChildProjects",
        "Retrieves a list of child projects within a parent project.",
        obj(id=TEXT),
        "child_projects",
        "array",
    ),
    ("weather_forecast", "Get the weather forecast for a specific city.", obj(city=TEXT), "temperature", "integer"),
    (
        "battle_details",
        "Retrieve detailed information about a specific European battle.",
        obj(battle_name=TEXT),
        "event_year",
        "integer",
    ),
    ("get_stock_price", "Retrieve the current stock price of a company.", obj(company=TEXT), "stock_price", "number"),
    (
        "game_score_highest",
        "Retrieve the highest score achieved by any player.",
        obj(game=TEXT),
        "highest_score",
        "number",
    ),
    (
        "country_info_capital",
        "Fetch the capital city of a specified country.",
        obj(country=TEXT),
        "capital_city",
        "string",
    ),
    ("cell_type", "Retrieve the type of the cell based on its nucleus.", obj(nucleus=TEXT), "cell_type", "string"),
    ("get_order_status", "Get the status of an order.", obj(order_id=TEXT), "status", "string"),
    ("get_current_time", "Retrieve current time for the specified location.", obj(location=TEXT), "time", "string"),
    ("user_profile", "Retrieves information about a user profile.", obj(user_id=TEXT), "email_address", "string"),
    (
        "Hotels_4_ReserveHotel",
        "Reserve rooms at a selected hotel for given dates.",
        obj(place_name=TEXT),
        "reservation_id",
        "string",
    ),
    ("book_flight", "Book a flight for a passenger.", obj(passenger_name=TEXT), "booking_id", "string"),
    ("Events_3_BuyEventTickets", "Purchase tickets for a cultural event.", obj(event_name=TEXT), "order_id", "string"),
    ("send_email", "Send an email to a recipient.", obj(recipient=TEXT), "message_id", "string"),
    ("create_user", "Creates a new user in the system.", obj(username=TEXT), "user_id", "string"),
    ("add_todo", "Adds a task to the list.", obj(title=TEXT), "task_id", "string"),
    ("update_agent", "Update an existing agent on the host.", obj(agent_id=TEXT), "agent_status", "string"),
    ("users_deletePhoto", "Deletes a specified photo for a user.", obj(photo_id=TEXT), "photo_status", "string"),
    ("cancel_booking", "Cancel a booking.", obj(booking_id=TEXT), "booking_status", "string"),
    ("translate_text", "Translate a text into another language.", obj(text=TEXT), "translated_text", "string"),
    ("sort_array", "Sorts an array in ascending order.", obj(array=NUMBERS), "sorted_items", "array"),
    ("generate_password", "Generate a random password.", obj(length=NUMBER), "random_password", "string"),
    ("generate_qr_code", "Generate a QR code image for a link.", obj(link=TEXT), "image_url", "string"),
    ("", "", {}, "result", "string"),
]


@pytest.mark.parametrize(
    ("name", "description", "parameters", "field", "kind"), CASES, ids=[case[0] or "bare" for case in CASES]
)
def test_main_field(name, description, parameters, field, kind):
    schema = infer_returns(name, description, parameters)
    Draft202012Validator.check_schema(schema)
    assert field in schema["properties"], list(schema["properties"])
    assert schema["properties"][field]["type"] == kind
    assert schema["required"] == list(schema["properties"])
    assert all(part.get("description") for part in schema["properties"].values())
    assert schema == infer_returns(name, description, parameters)
    value = draw_value(name, schema, random.Random(1), date(2026, 6, 9))
    assert Draft202012Validator(schema).is_valid(value)


def test_the_unit_is_told():
    schema = infer_returns("calc_speed", "Calculate the speed of an object in meters per second.", obj(d=NUMBER))
    assert schema["properties"]["speed"]["description"] == "Speed, in meters per second"


def test_identifying_arguments_are_repeated():
    schema = infer_returns("cancel_order", "Cancel an order.", obj(order_id=TEXT, password=TEXT))
    assert schema["properties"]["order_id"] == TEXT
    assert "password" not in schema["properties"]


def test_amounts_of_money_have_a_currency():
    schema = infer_returns("calc", "Calculate the monthly payment of a loan.", obj(principal=NUMBER))
    assert "currency" in schema["properties"]
